"""Copy a folder of artifacts into a bucket and compare both."""

import hashlib
import mimetypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, Request, progress

AT_A_TIME = 8
# Bytes that are in memory at a time.
CHUNK = 1024 * 1024
UNKNOWN_TYPE = "application/octet-stream"


def main(request: Request) -> dict[str, int]:
    """Copy the folder into the bucket; return the number of files, and of those sent."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return copy(Path(request["folder"]), request["bucket"])
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        raise Failure(str(error)) from error


def copy(folder: Path, bucket: str) -> dict[str, int]:
    """Copy missing files; return the number of files, and of those sent."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    client = s3.client()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        there = files.keys() & keys(client, bucket)
        shared = [key for key in files if key in there]
        found = pool.map(lambda key: is_same(client, files[key], bucket, key), shared)
        if differ := [key for key, same in zip(shared, found, strict=True) if not same]:
            raise Failure(f"{len(differ)} objects differ", others=len(differ), first=differ[0])
        new = [key for key in files if key not in there]
        work = pool.map(lambda key: bring(client, files[key], bucket, key), new)
        for number, _ in enumerate(work, start=1):
            progress(f"{number} of {len(new)} artifacts")
    size = sum(path.stat().st_size for path in paths)
    return {"count": len(paths), "bytes": size, "sent": len(new)}


def keys(client: Any, bucket: str) -> set[str]:
    """Return the keys of all objects in the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}


def bring(client: Any, path: Path, bucket: str, key: str) -> None:
    """Upload a file and compare the object with it."""
    kind = mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE
    client.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": kind})
    if not is_same(client, path, bucket, key):
        raise OSError(f"{key} differs after copying")


def is_same(client: Any, path: Path, bucket: str, key: str) -> bool:
    """Tell whether an object has the content of a file."""
    stored = client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK)
    with path.open("rb") as file:
        return digest(pieces(file)) == digest(stored)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in pieces that fit into memory."""
    while piece := file.read(CHUNK):
        yield piece


def digest(parts: Iterator[bytes]) -> str:
    """Return the SHA-256 of chunks."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()
