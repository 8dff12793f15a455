"""Copy a folder of artifacts into a bucket, and prove that the copy is one."""

import hashlib
import json
import mimetypes
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

AT_A_TIME = 8
# Bytes that are in memory at a time.
CHUNK = 1024 * 1024
UNKNOWN_TYPE = "application/octet-stream"


def main(argument: str) -> None:
    """Copy as the JSON argument says; tell how far it is, and in the end what there is."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    request = json.loads(argument)
    try:
        say(json.dumps(copy(Path(request["folder"]), request["bucket"])))
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        say(json.dumps({"error": str(error)}))
        sys.exit(1)


def copy(folder: Path, bucket: str) -> dict[str, int]:
    """Copy every file that is not there yet; return how many there are, and were sent."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    client, sent = s3(), 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        keys = [path.relative_to(folder).as_posix() for path in files]
        work = pool.map(lambda path, key: bring(client, path, bucket, key), files, keys)
        for number, was_sent in enumerate(work, start=1):
            sent += was_sent
            say(f"{number} of {len(files)} artifacts")
    return {"count": len(files), "bytes": sum(file.stat().st_size for file in files), "sent": sent}


def bring(client: Any, path: Path, bucket: str, key: str) -> bool:
    """Make sure that a file is in the bucket; tell whether it had to be sent."""
    with path.open("rb") as file:
        wanted = digest(pieces(file))
    if stored(client, bucket, key) == wanted:
        return False
    kind = mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE
    client.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": kind})
    if stored(client, bucket, key) != wanted:
        raise OSError(f"{key} is not the same after it was copied")
    return True


def stored(client: Any, bucket: str, key: str) -> str:
    """Return the digest of an object, empty where there is none."""
    from botocore.exceptions import ClientError

    try:
        return digest(client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return ""


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file in pieces that fit into memory."""
    while piece := file.read(CHUNK):
        yield piece


def digest(parts: Iterator[bytes]) -> str:
    """Return the SHA-256 of what comes in parts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def s3() -> Any:
    """Return an S3 client with the application's key, as MLflow makes it."""
    import boto3

    return boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"))


def say(line: str) -> None:
    """Tell whoever started this, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
