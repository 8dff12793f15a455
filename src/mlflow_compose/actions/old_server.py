"""What the old S3 server of a migration has besides the stack's bucket."""

from dataclasses import replace

from mlflow_compose.actions.plan import Plan
from mlflow_compose.clients import Objects
from mlflow_compose.stack.components import s3
from mlflow_compose.stack.credentials import reveal

# Every new disk has it, and servers that keep plain files list it as a bucket.
NO_BUCKET = "lost+found"


def other_buckets(old: Plan) -> tuple[str, ...]:
    """Return the buckets of a bundled S3 server that are not the stack's, sorted.

    Raises:
        ObjectsError: The server refused the request, or did not answer.
    """
    if not old.stack.has(s3.NAME):
        return ()
    found = {*administrator(old).buckets()} - {old.stack.stores.bucket, NO_BUCKET}
    return tuple(sorted(found))


def administrator(plan: Plan) -> Objects:
    """Return a client of a bundled S3 server with the key that may do everything."""
    client, settings = Objects.of(plan.stack), plan.loaded.settings
    if plan.stack.has_one_key:
        return client
    key = (reveal(settings.minio_root_user), reveal(settings.minio_root_password))
    return replace(client, key=key)
