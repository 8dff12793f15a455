"""The names that `docker load` would give to the images in a file of a bundle.

They are in the file, so whoever made the bundle chose them: they could be those of images that are
there already, from which other stacks run, and Docker would replace these.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mlflow_compose.bundle.inside.sealed import Damaged, Place

# What the two ways in which Docker stores images read, and what Docker read before.
MANIFEST, INDEX, REPOSITORIES = "manifest.json", "index.json", "repositories"
# https://github.com/containerd/containerd/blob/main/core/images/annotations.go, and OCI's.
FULL_NAME, TAG = "io.containerd.image.name", "org.opencontainers.image.ref.name"
PREFIX = "docker.io/library/"
LARGEST = 1_000_000


class _Part(io.RawIOBase):
    """A file in a bundle, as a file."""

    def __init__(self, file: IO[bytes], place: Place) -> None:
        self._file, self._place, self._at = file, place, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._place.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._place.size - self._at)
        self._file.seek(self._place.start + self._at)
        found = self._file.read(left if size < 0 else min(size, left))
        self._at += len(found)
        return found


def check_names(path: Path, place: Place, name: str) -> None:
    """Make sure that an image of a bundle has one name only.

    Args:
        path: The bundle.
        place: Where the image is in it.
        name: The name that it must have.

    Raises:
        Damaged: It has another one, or the file is not one of `docker save`.
        OSError: The bundle cannot be read.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=_Part(file, place), mode="r:") as tar:
            found = {each for member in tar for each in _names(tar, member)}
    except (tarfile.TarError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Damaged(f"{name} is not an image as docker save writes it") from None
    if found != {name}:
        raise Damaged(f"{name} would get other names, too, which may be those of other images")


def _names(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[str]:
    # Wherever it is: a link to a folder could lead back to the top.
    kind = PurePosixPath(member.name).name
    if kind not in {MANIFEST, INDEX, REPOSITORIES}:
        return
    content = tar.extractfile(member) if member.isreg() and member.size < LARGEST else None
    if content is None:
        raise ValueError(kind)
    found: Any = json.loads(content.read())
    if kind == MANIFEST:
        given = (name for image in found for name in image.get("RepoTags") or ())
    elif kind == REPOSITORIES:
        given = (f"{name}:{tag}" for name, tags in found.items() for tag in tags)
    else:
        all_annotations = (each.get("annotations") or {} for each in found["manifests"])
        given = (name for annotations in all_annotations for name in _annotated(annotations))
    yield from (str(name).removeprefix(PREFIX) for name in given)


def _annotated(annotations: dict[str, str]) -> Iterator[str]:
    """Yield the names in the annotations of an image; what has none gets none."""
    full, tag = annotations.get(FULL_NAME, ""), annotations.get(TAG, "")
    if full:
        yield full
    # Usually, it is only the last part of the name.
    if tag and tag != full.rpartition(":")[2]:
        yield tag
