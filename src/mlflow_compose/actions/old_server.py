"""The old S3 server of a migration: its other buckets, and whether it is also the new one."""

import secrets
from dataclasses import replace

from mlflow_compose.actions.plan import Plan
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.stack.components import s3
from mlflow_compose.stack.credentials import reveal

# A folder on every new ext4 disk, which servers that keep plain files list as a bucket.
NO_BUCKET = "lost+found"
PROBE = ".mlflow-compose-probe-"


def other_buckets(old: Plan) -> tuple[str, ...]:
    """Return the buckets of a bundled S3 server that are not the stack's, sorted.

    Raises:
        ObjectsError: The server refused the request, or did not answer.
    """
    if not old.stack.has(s3.NAME):
        return ()
    found = {*administrator(old).buckets()} - {old.stack.stores.bucket, NO_BUCKET}
    return tuple(sorted(found))


def serves(old: Plan, target: Objects) -> bool:
    """Tell whether a bucket is on the bundled S3 server of a stack, even under another address.

    This is tested by storing an object in the server's bucket of that name.

    Raises:
        ObjectsError: One of the servers refused a request, or did not answer.
    """
    if not old.stack.has(s3.NAME):
        return False
    server = administrator(old)
    if target.bucket not in server.buckets():
        return False
    probed, key = replace(server, bucket=target.bucket), PROBE + secrets.token_hex(8)
    try:
        probed.put(key, b"")
    except ObjectsError:
        # Such as a full disk, which is a reason to move; its objects can still be read.
        return False
    try:
        return target.has(key)
    finally:
        probed.delete(key)


def administrator(plan: Plan) -> Objects:
    """Return a client of a bundled S3 server with the root key."""
    client, settings = Objects.of(plan.stack), plan.loaded.settings
    if plan.stack.has_one_key:
        return client
    key = (reveal(settings.minio_root_user), reveal(settings.minio_root_password))
    return replace(client, key=key)
