"""The application's key in MinIO and in forks with the same admin API."""

import json
from urllib.parse import urlsplit

from app_key import POLICY_NAME, policy, works
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from s3_server import Job, JobError, http


def make(job: Job) -> int:
    """Create the key if it is missing; return how many keys it replaces."""
    endpoint = urlsplit(job.endpoint or "")
    admin = MinioAdmin(
        endpoint=endpoint.netloc,
        credentials=StaticProvider(job.root.id, job.root.secret),
        region=job.region,
        secure=endpoint.scheme == "https",
        http_client=http(),
    )
    try:
        return make_as(admin, job)
    except MinioAdminException as error:
        raise JobError(f"the S3 server rejected an admin request: {error}") from error


def make_as(admin: MinioAdmin, job: Job) -> int:
    """Create the key with this admin client; return how many keys it replaces."""
    known = POLICY_NAME in json.loads(admin.policy_list())
    admin.policy_add(POLICY_NAME, policy=policy(job.bucket))
    if known and works(job):
        return 0
    # Each encrypted call costs the server 64 MB, which it does not free: make as few as possible.
    admin.user_add(job.app.id, job.app.secret)
    admin.policy_set(POLICY_NAME, user=job.app.id)
    others = holders(admin) if known else []
    replaced = [user for user in others if user != job.app.id]
    for user in replaced:
        admin.user_remove(user)
    return len(replaced)


def holders(admin: MinioAdmin) -> list[str]:
    """Return the users that the policy is attached to."""
    entities = json.loads(admin.get_policy_entities([], [], [POLICY_NAME]))
    mappings = entities.get("policyMappings") or []
    return [user for mapping in mappings for user in mapping.get("users") or []]
