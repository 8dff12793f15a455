"""Copy a folder of artifacts into a bucket and compare both."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS, content_type
from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, Request, progress

CHUNK_BYTES = 1024 * 1024


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
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        existing = files.keys() & keys(client, bucket)
        shared = [key for key in files if key in existing]
        found = pool.map(lambda key: is_same(client, files[key], bucket, key), shared)
        if differ := [key for key, same in zip(shared, found, strict=True) if not same]:
            raise Failure(f"{len(differ)} objects differ", conflicts=len(differ), first=differ[0])
        new = [key for key in files if key not in existing]
        work = pool.map(lambda key: upload(client, files[key], bucket, key), new)
        for number, _ in enumerate(work, start=1):
            progress(f"{number} of {len(new)} artifacts")
    size = sum(path.stat().st_size for path in paths)
    return {"count": len(paths), "bytes": size, "sent": len(new)}


def keys(client: Any, bucket: str) -> set[str]:
    """Return the keys of all objects in the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}


def upload(client: Any, path: Path, bucket: str, key: str) -> None:
    """Upload a file and compare the object with it."""
    client.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": content_type(path)})
    if not is_same(client, path, bucket, key):
        raise OSError(f"{key} differs after copying")


def is_same(client: Any, path: Path, bucket: str, key: str) -> bool:
    """Tell whether an object has the content of a file."""
    stored = client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK_BYTES)
    with path.open("rb") as file:
        return digest(file_chunks(file)) == digest(stored)


def file_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in chunks that fit into memory."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def digest(chunks: Iterator[bytes]) -> str:
    """Return the SHA-256 of chunks."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()
