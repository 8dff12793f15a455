"""What a new stack needs from a snapshot: its manifest, and its secrets."""

from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.data.backup.archive import SUFFIX, members, read_archive
from mlflow_compose.data.backup.check import damaged
from mlflow_compose.data.backup.manifest import FILE, SECRETS, Manifest, read_manifest
from mlflow_compose.errors import SnapshotError


@dataclass(frozen=True)
class Peeked:
    """The beginning of a snapshot.

    Attributes:
        manifest: Its manifest.
        sealed: Its encrypted file of secrets, empty if there is none.
    """

    manifest: Manifest
    sealed: bytes = field(repr=False)


def is_snapshot(path: Path) -> bool:
    """Tell whether a path should be a snapshot: a folder or an archive."""
    return (path / FILE).is_file() or (path.suffix == SUFFIX and path.is_file())


def folder_of(source: str) -> Path | None:
    """Return the folder of a snapshot that was named by its path, None if it is only a name."""
    path = Path(source)
    return path if path.name != source and is_snapshot(path) and path.is_dir() else None


def peek(path: Path) -> Peeked:
    """Return the beginning of a snapshot.

    Raises:
        SnapshotError: It is damaged.
    """
    if path.is_file():
        return _peek_archive(path)
    manifest = read_manifest(path)
    if not manifest.has_secrets:
        return Peeked(manifest, b"")
    try:
        return Peeked(manifest, (path / SECRETS).read_bytes())
    except OSError as error:
        raise SnapshotError(
            f"the snapshot {path.name} is damaged: {SECRETS} cannot be read: {error.strerror}"
        ) from None


def _peek_archive(path: Path) -> Peeked:
    manifest, sealed = read_archive(path).manifest, b""
    if manifest.has_secrets:
        sealed = next((each.content() for each in members(path) if each.name == SECRETS), b"")
        if not sealed:
            raise damaged(path.name, [SECRETS])
    return Peeked(manifest, sealed)
