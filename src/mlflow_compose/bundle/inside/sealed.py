"""The format of a bundle: a plain tar archive of which every byte is checked.

All headers are those that this module would write, so that an archive can contain nothing but plain
files. The last file is the digest of all bytes before it. `bundle` writes and `load` reads with the
same code that runs on machines that have nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

README, INSTALLER, MANIFEST, SEAL = "README.txt", "install.pyz", "manifest.json", "SHA256"
FIRST = (README, INSTALLER, MANIFEST)
FORMAT = 1
# A tar archive is a sequence of blocks, and ends with zeros up to the end of a record.
BLOCK, RECORD = 512, 10240
CHUNK = 1024 * 1024
# Bytes of a manifest that is read into memory.
LARGEST = 64_000_000
LONGEST_NAME, LONGEST_FOLDER = 100, 155
NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)*", re.ASCII)
UNUSUAL = frozenset({".", ".."})


class Damaged(Exception):  # noqa: N818 - what the file is
    """A file is no bundle, or not a whole one; the message gives the reason."""


class Place(NamedTuple):
    """Where a file is in the archive: the offset of its content, and its size."""

    start: int
    size: int


class Contents(NamedTuple):
    """What is in a bundle: its manifest, the places of its files, and its digest."""

    manifest: Mapping[str, Any]
    places: Mapping[str, Place]
    sha256: str


def header(name: str, size: int) -> bytes:
    """Return the block in front of a file: one of a plain file, of the format ustar.

    Everything in it follows from name and size, so that there is only one that is right.
    """
    folder, _, base = name.rpartition("/")
    text = "".join(
        (
            base.ljust(LONGEST_NAME, "\0"),
            *("0000644\0", "0000000\0", "0000000\0"),
            *(f"{size:011o}\0", f"{0:011o}\0", " " * 8),
            *("0", "\0" * LONGEST_NAME, "ustar\0", "00", "\0" * 80),
            folder.ljust(LONGEST_FOLDER, "\0") + "\0" * 12,
        )
    )
    found = text.encode("ascii")
    return found[:148] + f"{sum(found):06o}\0 ".encode("ascii") + found[156:]


def ending(offset: int, sha256: str) -> bytes:
    """Return the end of a bundle: the digest of all bytes before it, then zeros."""
    content = f"{sha256}\n".encode("ascii")
    found = header(SEAL, len(content)) + content.ljust(BLOCK, b"\0")
    whole = offset + len(found) + 2 * BLOCK
    return found + bytes(-(-whole // RECORD) * RECORD - offset - len(found))


def check(path: str | Path, seen: Callable[[int], None] = lambda _: None) -> Contents:
    """Read a whole bundle and return what is in it; write nothing.

    Args:
        path: The bundle.
        seen: Called with the number of bytes that were read so far.

    Raises:
        Damaged: It is no bundle, or a byte is missing or has changed.
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        places = dict(_places(file))
        if tuple(places)[: len(FIRST)] != FIRST:
            raise Damaged("it is not a bundle of mlflow-compose")
        end = places.pop(SEAL).start - BLOCK
        sha256 = _digest(file, end, seen)
        file.seek(end)
        expected = ending(end, sha256)
        if file.read(len(expected) + 1) != expected:
            raise Damaged("its digest is not that of its content")
        manifest = _manifest(file, places[MANIFEST])
    listed = {name: Place(places[name].start, size) for name, size in _listed(manifest, places)}
    if {MANIFEST: places[MANIFEST], **listed} != places:
        raise Damaged("its files are not those in its manifest")
    return Contents(manifest, places, sha256)


def _places(file: IO[bytes]) -> Iterator[tuple[str, Place]]:
    """Yield the places of all files by name, up to the digest, which is the last."""
    whole, seen = file.seek(0, os.SEEK_END), set()
    position, name = 0, ""
    while name != SEAL:
        file.seek(position)
        block = file.read(BLOCK)
        name, size = _described(block)
        if header(name, size) != block or name in seen:
            raise Damaged(f"there is no file as in a bundle at byte {position}")
        seen.add(name)
        yield name, Place(position + BLOCK, size)
        position += BLOCK - (-size // BLOCK) * BLOCK
        if position > whole:
            raise Damaged(f"it ends within {name}")


def _described(block: bytes) -> tuple[str, int]:
    """Return the name and the size that a header may be of."""
    if len(block) < BLOCK:
        raise Damaged("it has no end")
    parts = (block[345:500], block[:LONGEST_NAME])
    name = "/".join(part.rstrip(b"\0").decode("ascii", "replace") for part in parts).lstrip("/")
    is_plain = NAME.fullmatch(name) and not UNUSUAL & {*name.split("/")}
    if not is_plain or not re.fullmatch(rb"[0-7]{11}\0", block[124:136]):
        raise Damaged("it contains something else than plain files")
    return name, int(block[124:135], 8)


def _digest(file: IO[bytes], end: int, seen: Callable[[int], None]) -> str:
    """Return the digest of the first bytes of a file."""
    found, left = hashlib.sha256(), end
    file.seek(0)
    while chunk := file.read(min(CHUNK, left)):
        found.update(chunk)
        left -= len(chunk)
        seen(end - left)
    return found.hexdigest()


def _manifest(file: IO[bytes], place: Place) -> Mapping[str, Any]:
    if place.size > LARGEST:
        raise Damaged("its manifest is too large")
    file.seek(place.start)
    try:
        found = json.loads(file.read(place.size))
        number = int(found["format"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise Damaged("its manifest cannot be read") from None
    if number > FORMAT:
        raise Damaged(f"it has format {number}, of a newer mlflow-compose")
    return dict(found)


def _listed(manifest: Mapping[str, Any], places: Mapping[str, Place]) -> Iterator[tuple[str, int]]:
    try:
        for each in manifest["files"]:
            if each["name"] not in places:
                raise Damaged(f"it does not contain {each['name']}")
            yield str(each["name"]), int(each["size"])
    except (TypeError, KeyError, ValueError):
        raise Damaged("its manifest cannot be read") from None


def chunks(path: str | Path, contents: Contents, name: str) -> Iterator[bytes]:
    """Yield the content of a file in a bundle.

    Raises:
        Damaged: It is another content than when the bundle was checked.
    """
    listed = [each.get("sha256") for each in contents.manifest["files"] if each["name"] == name]
    if len(listed) != 1:
        raise Damaged(f"it does not contain {name} once")
    place, found = contents.places[name], hashlib.sha256()
    with Path(path).open("rb") as file:
        file.seek(place.start)
        left = place.size
        while chunk := file.read(min(CHUNK, left)):
            found.update(chunk)
            left -= len(chunk)
            yield chunk
    if left or found.hexdigest() != listed[0]:
        raise Damaged(f"{name} has changed since it was written")
