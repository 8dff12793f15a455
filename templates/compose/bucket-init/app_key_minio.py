"""The application's key in MinIO and the forks that kept its administration."""

import json
from urllib.parse import urlsplit

from app_key import POLICY_NAME, policy, works
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from s3_server import Job, JobError, http


def make(job: Job) -> int:
    """Make the key where it is missing; return how many it replaces."""
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
        raise JobError(f"the S3 server refused an administration request: {error}") from error


def make_as(admin: MinioAdmin, job: Job) -> int:
    """Do it as this administrator."""
    known = POLICY_NAME in json.loads(admin.policy_list())
    admin.policy_add(POLICY_NAME, policy=policy(job.bucket))
    if known and works(job):
        return 0
    # Encrypted calls cost the server 64 MB each, which it keeps: as few as can be.
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
