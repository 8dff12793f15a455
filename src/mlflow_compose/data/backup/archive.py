"""Snapshots as one file: a plain tar archive, written and read in one pass.

It is not compressed: the dump is already, and so are most models. What is read from an archive is
never unpacked by the names in it: a member is one of the files that a snapshot has, or an error.
"""

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlflow_compose.data.backup.contents import FOLDER, read_chunks
from mlflow_compose.data.backup.manifest import FILE, Manifest, parse_manifest
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import NAME, PREFIX, Damaged, Snapshot, remove
from mlflow_compose.data.backup.sums import FILE as SUMS
from mlflow_compose.errors import FilesError, SnapshotError, UsageError
from mlflow_compose.result import Progress

SUFFIX = ".tar"
MODE = 0o600
MEMBER = re.compile(
    rf"(?P<top>{NAME.pattern})/(?P<name>manifest\.json|SHA256SUMS|objects\.jsonl|secrets\.age|"
    rf"database\.(?:dump|sqlite)|{FOLDER}/(?P<start>[0-9a-f]{{2}})/(?P<sha>(?P=start)[0-9a-f]{{62}}))"
)
# Neither links nor sparse files, whose size says nothing about what is read.
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
# Bytes of a file that is read into memory.
LARGEST = 64_000_000
HINT = "use another archive or snapshot: mlflow-compose snapshots lists them"


@dataclass(frozen=True)
class Archived:
    """A snapshot in an archive.

    Attributes:
        path: The archive.
        manifest: What is in it.
    """

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Name of the archive."""
        return self.path.name


@dataclass(frozen=True)
class Member:
    """A file in an archive, to be read before the next one.

    Attributes:
        snapshot: Name of the snapshot.
        name: Path of the file in the snapshot.
        sha256: Digest of its content if it is an object's, else empty.
        size: Size in bytes.
        file: The content.
    """

    snapshot: str
    name: str
    sha256: str
    size: int
    file: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks that fit into memory.

        Raises:
            SnapshotError: The archive ends within it.
        """
        try:
            yield from read_chunks(self.file)
        except tarfile.TarError:
            raise SnapshotError(
                f"the archive of {self.snapshot} is damaged: it ends within {self.name}", hint=HINT
            ) from None

    def content(self) -> bytes:
        """Return the content.

        Raises:
            SnapshotError: It is too large for what it should be, or the archive ends within it.
        """
        if self.size > LARGEST:
            raise SnapshotError(f"{self.name} of {self.snapshot} is too large", hint=HINT)
        return b"".join(self.chunks())


def archive_path(top: Path, name: str) -> Path:
    """Return the path of a snapshot's archive.

    Raises:
        UsageError: There is a file already.
    """
    path = top / f"{name}{SUFFIX}"
    if os.path.lexists(path):
        raise UsageError(f"there is an archive {path} already", hint="choose another name")
    return path


def archive_of(source: str, top: Path) -> Path | None:
    """Return the archive that was named, None if it is the name of a snapshot.

    Args:
        source: Path of an archive, or the name of one or of a snapshot in `top`.
        top: Folder of snapshots.

    Raises:
        SnapshotError: There is no such archive.
    """
    if not source.endswith(SUFFIX) or (top / source).is_dir():
        return None
    for path in (top / source, Path(source)):
        if path.is_file():
            return path
    raise SnapshotError(f"there is no archive {source}", hint="mlflow-compose snapshots")


def pack(snapshot: Snapshot, progress: Progress) -> Archived:
    """Write a snapshot into an archive next to it, as a whole or not at all.

    Raises:
        UsageError: There is an archive already.
        FilesError: It cannot be written.
    """
    path = archive_path(snapshot.folder.parent, snapshot.name)
    partial = path.with_name(f"{PREFIX}{snapshot.manifest.stack_id}.{path.name}")
    try:
        remove(partial)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(snapshot, file, progress)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        except BaseException:
            remove(partial)
            raise
    except OSError as error:
        raise FilesError(f"{path} cannot be written: {error.strerror}") from None
    return Archived(path, snapshot.manifest)


def members(path: Path) -> Iterator[Member]:
    """Yield the files of an archive, in its order.

    Raises:
        SnapshotError: It is no archive of a snapshot, or has anything else.
    """
    with _opened(path) as tar:
        seen, top = set[str](), ""
        while each := tar.next():
            _forget(tar)
            if each.isdir():
                continue
            found = MEMBER.fullmatch(each.name)
            is_plain = each.type in PLAIN and not each.issparse()
            file = tar.extractfile(each) if found and is_plain else None
            if not found or not file or each.name in seen or top not in {found["top"], ""}:
                raise SnapshotError(
                    f"{path.name} is not the archive of a snapshot: it contains {each.name!r}"
                )
            top = found["top"]
            seen.add(each.name)
            yield Member(found["top"], found["name"], found["sha"] or "", each.size, file)


def read_archive(path: Path) -> Archived:
    """Return what is in an archive.

    Raises:
        SnapshotError: It is no archive of a snapshot, or its manifest is damaged.
    """
    for member in members(path):
        if member.name == FILE:
            return Archived(path, parse_manifest(member.content(), path.name))
    raise SnapshotError(f"{path.name} is not the archive of a snapshot: it has no {FILE}")


def archives(top: Path) -> Iterator[Archived | Damaged]:
    """Yield the archives in a folder by name, also those that cannot be read."""
    for path in sorted(top.glob(f"[!.]*{SUFFIX}")):
        if path.is_file() and not path.is_symlink():
            try:
                yield read_archive(path)
            except SnapshotError as error:
                yield Damaged(path.name, error.message)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive; turn errors into a SnapshotError."""
    try:
        # Not compressed: what is read is not larger than the file.
        with tarfile.open(path, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise SnapshotError(f"{path} is damaged, or not a tar archive: {error}") from None
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}") from None


def _write(snapshot: Snapshot, file: IO[bytes], progress: Progress) -> None:
    """Write all files, the small ones first: listing archives reads no more than these."""
    folder, rate, done = snapshot.folder, Rate(), 0
    first, *others = snapshot.manifest.files
    contents = (
        path.relative_to(folder).as_posix() for path in sorted(folder.glob(f"{FOLDER}/*/*"))
    )
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in (first, SUMS, *others, *contents):
            path = folder / name
            member = tarfile.TarInfo(f"{snapshot.name}/{name}")
            member.size, member.mode = path.stat().st_size, MODE
            member.mtime = int(snapshot.manifest.when.timestamp())
            with path.open("rb") as content:
                tar.addfile(member, content)
            _forget(tar)
            done += member.size
            progress.detail(rate.text(done))


def _forget(tar: tarfile.TarFile) -> None:
    """Forget the members so far, which the library would keep in memory."""
    vars(tar)["members"].clear()
