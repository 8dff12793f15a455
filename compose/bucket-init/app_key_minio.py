"""A key for one bucket in MinIO and in forks with the same admin API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from app_key import policy, policy_name, works
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from s3_server import Job, JobError, http


def make(job: Job) -> int:
    """Create the key if it is missing; return how many keys it replaces."""
    with admin_of(job) as admin:
        return make_as(admin, job)


def remove(job: Job) -> None:
    """Delete the key and its policy, if they exist."""
    with admin_of(job) as admin:
        name = policy_name(job)
        if name in json.loads(admin.policy_list()):
            for user in holders(admin, name):
                admin.user_remove(user)
            admin.policy_remove(name)


@contextmanager
def admin_of(job: Job) -> Iterator[MinioAdmin]:
    """Provide an admin client; requests that the server rejects become a `JobError`."""
    endpoint = urlsplit(job.endpoint or "")
    try:
        yield MinioAdmin(
            endpoint=endpoint.netloc,
            credentials=StaticProvider(job.root.id, job.root.secret),
            region=job.region,
            secure=endpoint.scheme == "https",
            http_client=http(),
        )
    except MinioAdminException as error:
        raise JobError(f"the S3 server rejected an admin request: {error}") from error


def make_as(admin: MinioAdmin, job: Job) -> int:
    """Create the key with this admin client; return how many keys it replaces."""
    name = policy_name(job)
    known = name in json.loads(admin.policy_list())
    admin.policy_add(name, policy=policy(job.bucket))
    if known and works(job):
        return 0
    # Each encrypted call costs the server 64 MB, which it does not free: make as few as possible.
    admin.user_add(job.app.id, job.app.secret)
    admin.policy_set(name, user=job.app.id)
    others = holders(admin, name) if known else []
    replaced = [user for user in others if user != job.app.id]
    for user in replaced:
        admin.user_remove(user)
    return len(replaced)


def holders(admin: MinioAdmin, policy: str) -> list[str]:
    """Return the users that a policy is attached to."""
    entities = json.loads(admin.get_policy_entities([], [], [policy]))
    mappings = entities.get("policyMappings") or []
    return [user for mapping in mappings for user in mapping.get("users") or []]
