"""Where snapshots are sent: a bucket of another S3 server."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.data.backup import check_name
from mlflow_compose.data.backup.remote import Remote
from mlflow_compose.errors import SnapshotError, UsageError
from mlflow_compose.settings.envfile import read
from mlflow_compose.stack import Stack

SCHEME = "s3://"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REGION = "us-east-1"
TEST_KEY = "mlflow-compose-test-{}"


def remote_of(url: str, file: Path | None, environ: Mapping[str, str]) -> Remote:
    """Return a place for snapshots.

    Args:
        url: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
        file: Env file with the variables of S3 clients, None for the environment.
        environ: Environment.

    Raises:
        UsageError: The URL is none of these, or there is no key.
        EnvFileError: The file cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query:
        raise UsageError("the URL must be s3://BUCKET or s3://BUCKET/PREFIX, without a key")
    values = read(file).values if file else environ
    if missing := [name for name in KEYS if not values.get(name)]:
        where = f"set in {file}" if file else "set in the environment; --to-settings reads a file"
        raise UsageError(f"{' and '.join(missing)} must be {where}")
    key_id, secret = (values[name] for name in KEYS)
    bucket = Objects(
        values.get("AWS_ENDPOINT_URL") or None,
        parts.netloc,
        (key_id, secret),
        values.get("AWS_DEFAULT_REGION") or REGION,
        values.get("AWS_CA_BUNDLE", ""),
    )
    prefix = parts.path.strip("/")
    return Remote(bucket, f"{prefix}/" if prefix else "")


def remote_snapshot(url: str, file: Path | None, environ: Mapping[str, str]) -> tuple[Remote, str]:
    """Return the place and the name of a snapshot, from its URL."""
    place, _, name = url.rstrip("/").rpartition("/")
    return remote_of(place, file, environ), check_name(name)


def check_elsewhere(remote: Remote, stack: Stack) -> None:
    """Make sure that a place is not the bucket of the stack.

    Addresses do not tell: a server has several. A test object in the stack's bucket does.

    Raises:
        UsageError: It is.
        SnapshotError: One of the servers refused a request, or did not answer.
    """
    try:
        remote.bucket.check()
        if not stack.stores.uses_s3 or remote.bucket.bucket != stack.stores.bucket:
            return
        own, key = Objects.of(stack), TEST_KEY.format(secrets.token_hex(8))
        own.put(key, b"")
        try:
            is_own = remote.bucket.has(key)
        finally:
            own.delete(key)
    except ObjectsError as error:
        raise SnapshotError(f"{remote.url} cannot be used: {error}") from None
    if is_own:
        raise UsageError(
            f"{remote.url} is the bucket of this stack, which a backup must not depend on",
            hint="choose a bucket of another server",
        )
