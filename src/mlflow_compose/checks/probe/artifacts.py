"""The artifact store: a bucket, or a folder."""

from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from mlflow_compose.checks.probe.links import BrokenLink, Request
from mlflow_compose.engines.inside import s3

REFUSED = ("s3_key", "s3_forbidden")


def check(request: Request) -> str:
    """Read the bucket with the application's key, and check the run's objects."""
    if folder := request["folder"]:
        check_folder(Path(folder), request.get("objects", {}))
        return f"{len(request.get('objects', {}))} {request['artifacts']}"
    bucket = request["bucket"]
    s3_client = client()
    call_s3(partial(s3_client.list_objects_v2, Bucket=bucket, MaxKeys=1))
    for key, size in request.get("objects", {}).items():
        found = call_s3(partial(s3_client.head_object, Bucket=bucket, Key=key))
        if found["ContentLength"] != size:
            raise BrokenLink("object_differs", f"{key}: {found['ContentLength']} bytes, not {size}")
    return f"{len(request.get('objects', {}))} objects in {request['artifacts']}"


def check_isolation(request: Request) -> str:
    """Make sure that the application's key is refused on other buckets."""
    if request["external"]:
        return "skipped: the owner of the S3 server decides what the key may do"
    if not request["key_is_limited"]:
        return "skipped: this S3 server has one key for all buckets"
    other = f"{request['bucket'][:50]}-other"
    try:
        call_s3(partial(client().list_objects_v2, Bucket=other, MaxKeys=1))
    except BrokenLink as error:
        if error.cause in REFUSED:
            return f"refused on bucket {other}"
        if error.cause != "bucket_missing":
            raise
        # Most servers refuse a key without permissions before they check that the bucket exists.
        return check_no_root(request["bucket"], other)
    raise BrokenLink("key_too_strong", f"the key may list bucket {other}")


def check_no_root(bucket: str, other: str) -> str:
    """Make sure that the key may not create buckets, by a request for the existing one."""
    try:
        call_s3(partial(client().create_bucket, Bucket=bucket))
    except BrokenLink as error:
        if error.cause in REFUSED:
            return f"bucket {other} does not exist, and the key may not create it"
    raise BrokenLink("key_too_strong", f"the key may look for bucket {other} and create it")


def check_folder(folder: Path, objects: Mapping[str, int]) -> None:
    """Check the run's files."""
    for key, size in objects.items():
        try:
            found = (folder / key).stat().st_size
        except OSError as error:
            raise BrokenLink("object_missing", f"{key}: {error.strerror}") from error
        if found != size:
            raise BrokenLink("object_differs", f"{key}: {found} bytes, not {size}")


def clean(request: Request, prefixes: Collection[str]) -> None:
    """Delete the objects of this verification's runs, or their files and empty folders.

    Args:
        request: Request with objects; their keys contain text from server responses.
        prefixes: Key prefixes of this verification's runs, from the database.
    """
    folder = request["folder"]
    for key in request.get("objects", {}):
        if not key.startswith(tuple(prefixes)):
            continue
        if folder:
            remove_file(Path(folder), key)
        else:
            call_s3(partial(client().delete_object, Bucket=request["bucket"], Key=key))


def remove_file(folder: Path, key: str) -> None:
    """Remove a file below a folder, and its parent folders if they are then empty."""
    top = folder.resolve()
    file = (top / key).resolve()
    if top not in file.parents:
        raise BrokenLink("mlflow_error", f"{key} is outside the artifact folder")
    file.unlink(missing_ok=True)
    for parent in file.parents:
        if parent == top or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


@cache
def client() -> Any:  # noqa: ANN401 - boto3 creates its clients at run time
    """Return an S3 client with short timeouts."""
    return s3.client(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})


def call_s3(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - boto3's responses
    """Call S3; raise a BrokenLink with the cause if it fails."""
    from botocore.exceptions import BotoCoreError, ClientError, SSLError

    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        causes = {
            "InvalidAccessKeyId": "s3_key",
            "SignatureDoesNotMatch": "s3_key",
            "AccessDenied": "s3_forbidden",
            "NoSuchBucket": "bucket_missing",
            "404": "object_missing",
        }
        raise BrokenLink(causes.get(code, "s3_error"), f"{code}: {error}") from error
    except SSLError as error:
        raise BrokenLink("s3_certificate", str(error)) from error
    except BotoCoreError as error:
        raise BrokenLink("s3_down", str(error)) from error
