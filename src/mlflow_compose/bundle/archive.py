"""Write a bundle: all files in one pass, as a whole or not at all."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlflow_compose.bundle.inside.sealed import (
    BLOCK,
    CHUNK,
    INSTALLER,
    MANIFEST,
    README,
    ending,
    header,
)
from mlflow_compose.bundle.manifest import Manifest
from mlflow_compose.errors import BundleError, FilesError
from mlflow_compose.paths import PACKAGE, sources

MODE = 0o644
# The largest size that the header of a tar archive can hold.
LARGEST = 8**11
README_FILE = "readme.txt"
MAIN = """\
import sys

from mlflow_compose.bundle.inside.install import main

sys.exit(main(sys.argv[1:]))
"""
TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Part:
    """A file of a bundle.

    Attributes:
        name: Name in the bundle.
        content: Its content, or the path of a file that has it.
    """

    name: str
    content: bytes | Path

    @property
    def size(self) -> int:
        """Size in bytes."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks that fit into memory."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def sha256(self) -> str:
        """Return the digest of the content."""
        found = hashlib.sha256()
        for chunk in self.chunks():
            found.update(chunk)
        return found.hexdigest()


def write_archive(
    path: Path, manifest: Manifest, parts: Sequence[Part], seen: Callable[[int], None]
) -> str:
    """Write a bundle; return the digest of the whole file.

    Args:
        path: Path of the bundle.
        manifest: What is in it.
        parts: Its files, besides those that every bundle has.
        seen: Called with the number of bytes that were written so far.

    Raises:
        BundleError: A file is too large.
        FilesError: It cannot be written.
    """
    first = (Part(README, sources("bundle")[README_FILE].encode()), Part(INSTALLER, installer()))
    listed = [
        {"name": part.name, "size": part.size, "sha256": part.sha256()} for part in (*first, *parts)
    ]
    text = json.dumps(manifest.data(listed), indent=1) + "\n"
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            sha256 = _write(file, (*first, Part(MANIFEST, text.encode()), *parts), seen)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(MODE)
        partial.replace(path)
    except OSError as error:
        raise FilesError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return sha256


def installer() -> bytes:
    """Return the program that installs from a bundle, which Python runs as it is."""
    inside = PACKAGE / "bundle" / "inside"
    files = {
        "__main__.py": MAIN,
        **{f"{PACKAGE.name}/{name}__init__.py": "" for name in ("", "bundle/")},
        **{
            f"{PACKAGE.name}/bundle/inside/{file.name}": file.read_text(encoding="utf-8")
            for file in sorted(inside.glob("*.py"))
        },
    }
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return found.getvalue()


def _write(file: IO[bytes], parts: Sequence[Part], seen: Callable[[int], None]) -> str:
    found, count = hashlib.sha256(), 0

    def put(chunk: bytes) -> None:
        nonlocal count
        found.update(chunk)
        file.write(chunk)
        count += len(chunk)
        seen(count)

    for part in parts:
        if (size := part.size) >= LARGEST:
            raise BundleError(f"{part.name} is too large for a bundle: {size} bytes")
        put(header(part.name, size))
        for chunk in part.chunks():
            put(chunk)
        put(bytes(-size % BLOCK))
    put(ending(count, found.hexdigest()))
    return found.hexdigest()
