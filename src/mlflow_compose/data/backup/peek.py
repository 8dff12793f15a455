"""What a new stack needs from a snapshot: its manifest, and its secrets."""

from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.data.backup.manifest import FILE, Manifest, read_manifest
from mlflow_compose.data.backup.sealed import FILE as SECRETS
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
    """Tell whether a path should be a snapshot."""
    return (path / FILE).is_file()


def peek(path: Path) -> Peeked:
    """Return the beginning of a snapshot.

    Raises:
        SnapshotError: It is damaged.
    """
    manifest = read_manifest(path)
    if not manifest.has_secrets:
        return Peeked(manifest, b"")
    try:
        return Peeked(manifest, (path / SECRETS).read_bytes())
    except OSError as error:
        raise SnapshotError(
            f"the snapshot {path.name} is damaged: {SECRETS} cannot be read: {error.strerror}"
        ) from None
