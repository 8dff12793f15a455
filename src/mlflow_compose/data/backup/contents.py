"""The contents of a snapshot's objects: each once, under its SHA-256."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FOLDER = "objects"
CHUNK = 1024 * 1024
# Snapshots share contents by hard links: a changed file would change all of them.
MODE = 0o400


@dataclass(frozen=True)
class Contents:
    """The contents in a snapshot.

    Attributes:
        folder: Folder of the snapshot.
        previous: Contents of an earlier snapshot, to which equal ones are linked; None for none.
    """

    folder: Path
    previous: "Contents | None" = None

    def path(self, sha256: str) -> Path:
        """Return the path of a content."""
        return self.folder / FOLDER / sha256[:2] / sha256

    def add(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Store a content; return its digest and its size in bytes."""
        top = self.folder / FOLDER
        top.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=top, prefix=".")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                sha256, size = _written(file, chunks)
            if not self._has(sha256):
                temporary.chmod(MODE)
                path = self.path(sha256)
                path.parent.mkdir(exist_ok=True)
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return sha256, size

    def _has(self, sha256: str) -> bool:
        """Tell whether a content is here, or take it from the previous snapshot if it is whole."""
        if self.path(sha256).exists():
            return True
        other = self.previous.path(sha256) if self.previous else None
        if other is None or not other.exists() or digest(other) != sha256:
            return False
        return self.link(sha256, other.stat().st_size)

    def link(self, sha256: str, size: int) -> bool:
        """Take a content of this size from the previous snapshot; tell whether it is here now."""
        path = self.path(sha256)
        if path.exists():
            return True
        other = self.previous.path(sha256) if self.previous else None
        if other is None or not other.exists() or other.stat().st_size != size:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            link_or_copy(other, path)
        return True

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """Yield a content in chunks that fit into memory."""
        with self.path(sha256).open("rb") as file:
            yield from read_chunks(file)


def link_or_copy(other: Path, path: Path) -> None:
    """Create a file with the content of another one.

    Raises:
        FileExistsError: There is one.
    """
    try:
        path.hardlink_to(other)
    except FileExistsError:
        raise
    except OSError:
        # Not every file system has hard links, and none to other disks.
        shutil.copyfile(other, path)
        path.chmod(MODE)


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in chunks that fit into memory."""
    while chunk := file.read(CHUNK):
        yield chunk


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in read_chunks(file):
            found.update(chunk)
    return found.hexdigest()


def _written(file: IO[bytes], chunks: Iterable[bytes]) -> tuple[str, int]:
    found, size = hashlib.sha256(), 0
    for chunk in chunks:
        found.update(chunk)
        file.write(chunk)
        size += len(chunk)
    return found.hexdigest(), size
