"""List the artifacts that a stack holds."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mlflow_compose.engines.inside import s3

Objects = Iterator[tuple[str, int]]


class StoredObject(NamedTuple):
    """An object in a bucket, or a file in a folder.

    Attributes:
        key: Its key; of a file, the one that it would have in a bucket.
        size: Size in bytes.
        modified: When it was written, in milliseconds since 1970.
    """

    key: str
    size: int
    modified: int


def list_objects(bucket: str, folder: str, prefix: str) -> Objects:
    """Yield each key below a prefix with its size; `folder` is empty if there is a bucket."""
    return ((found.key, found.size) for found in stored_objects(bucket, folder, prefix))


def stored_objects(bucket: str, folder: str, prefix: str = "") -> Iterator[StoredObject]:
    """Yield each object below a prefix; `folder` is empty if there is a bucket."""
    return in_folder(Path(folder), prefix) if folder else in_bucket(bucket, prefix)


def in_bucket(bucket: str, prefix: str) -> Iterator[StoredObject]:
    """Yield the objects of a bucket."""
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for found in page.get("Contents", ()):
            modified = int(found["LastModified"].timestamp() * 1000)
            yield StoredObject(found["Key"], found["Size"], modified)


def in_folder(top: Path, prefix: str) -> Iterator[StoredObject]:
    """Yield the files of a folder, without links."""
    for folder, _, names in os.walk(top / prefix):
        for name in names:
            path = Path(folder, name)
            # A file may be deleted meanwhile.
            with suppress(FileNotFoundError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    key = path.relative_to(top).as_posix()
                    yield StoredObject(key, found.st_size, found.st_mtime_ns // 1_000_000)
