"""List the artifacts that a stack holds."""

import os
from collections.abc import Iterator
from pathlib import Path

from mlflow_compose.engines.inside import s3

Objects = Iterator[tuple[str, int]]


def list_objects(bucket: str, folder: str, prefix: str) -> Objects:
    """Yield each key below a prefix with its size; `folder` is empty if there is a bucket."""
    return in_folder(Path(folder), prefix) if folder else in_bucket(bucket, prefix)


def in_bucket(bucket: str, prefix: str) -> Objects:
    """Yield the objects of a bucket."""
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for found in page.get("Contents", ()):
            yield found["Key"], found["Size"]


def in_folder(top: Path, prefix: str) -> Objects:
    """Yield the files of a folder under the keys that they would have in a bucket."""
    for folder, _, names in os.walk(top / prefix):
        for name in names:
            path = Path(folder, name)
            yield path.relative_to(top).as_posix(), path.stat().st_size
