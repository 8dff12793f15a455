"""Copy a folder of artifacts into a bucket and compare both."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from mlflow_compose.data.inside import tables
from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS, SQLITE, content_type
from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, Request, progress

CHUNK_BYTES = 1024 * 1024
# The folder at the top of a disk, which only root may read and MLflow does not use.
OF_DISK = "lost+found"


def main(request: Request) -> dict[str, int]:
    """Copy the folder into the bucket; return the number of files, and of those sent."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with tables.database_errors():
            files = files_of(Path(request["folder"]), request["backend"])
        return copy(files, request["bucket"])
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        raise Failure(str(error)) from error


def files_of(folder: Path, backend: str) -> dict[str, Path]:
    """Return every file below the folder by its key; raise if anything could not be copied."""
    if not folder.is_dir():
        check_missing(folder, backend)
        return {}
    found = []
    for top, folders, names in os.walk(folder, onerror=failed):
        if Path(top) == folder and OF_DISK in folders:
            folders.remove(OF_DISK)
        if links := [name for name in folders if Path(top, name).is_symlink()]:
            raise Failure(f"{Path(top, links[0])} is a link to a folder", link=True)
        paths = [Path(top, name) for name in names]
        if others := [path for path in paths if not path.is_file()]:
            raise Failure(f"{others[0]} is neither a file nor a folder")
        found += paths
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def check_missing(folder: Path, backend: str) -> None:
    """Raise unless there may be no folder, which MLflow creates with the first artifact."""
    if folder.is_symlink():
        raise Failure(f"the folder {folder} does not exist", no_folder=True)
    file = Path(backend.removeprefix(SQLITE)).absolute()
    if backend.startswith(SQLITE) and file.parent == folder.absolute().parent:
        # What is next to the database is not on a disk that is missing.
        return
    if runs := run_count(backend):
        raise Failure(
            f"the folder {folder} does not exist, but the database has runs ({runs})",
            no_folder=True,
        )


def failed(error: OSError) -> None:
    """Raise for a folder that cannot be read, which `os.walk` would leave out."""
    raise error


def run_count(backend: str) -> int:
    """Return the number of runs in the database."""
    from sqlalchemy import text

    with tables.open_database(backend).connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM runs")).scalar())


def copy(files: dict[str, Path], bucket: str) -> dict[str, int]:
    """Copy missing files; return the number of files, and of those sent."""
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
    size = sum(path.stat().st_size for path in files.values())
    return {"count": len(files), "bytes": size, "sent": len(new)}


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
