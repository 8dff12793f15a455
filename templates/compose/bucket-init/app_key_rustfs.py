"""A key for one bucket in RustFS: MinIO's admin API, without its encryption.

https://docs.rustfs.com describes the requests.
"""

import json

from app_key import policy, policy_name
from s3_server import Job, administer

ADMIN = "/rustfs/admin/v3"


def make(job: Job) -> int:
    """Create the key or update its secret; return how many keys it replaces."""
    rights = json.dumps(policy(job.bucket)).encode()
    administer(job, f"PUT {ADMIN}/add-canned-policy", {"name": policy_name(job)}, rights)
    user = json.dumps({"secretKey": job.app.secret, "status": "enabled"}).encode()
    administer(job, f"PUT {ADMIN}/add-user", {"accessKey": job.app.id}, user)
    attached = {"policyName": policy_name(job), "userOrGroup": job.app.id, "isGroup": "false"}
    administer(job, f"PUT {ADMIN}/set-user-or-group-policy", attached)
    replaced = [user for user in holders(job) if user != job.app.id]
    for former in replaced:
        administer(job, f"DELETE {ADMIN}/remove-user", {"accessKey": former})
    return len(replaced)


def remove(job: Job) -> None:
    """Delete the key and its policy, if they exist."""
    for user in holders(job):
        administer(job, f"DELETE {ADMIN}/remove-user", {"accessKey": user})
    _, answer = administer(job, f"GET {ADMIN}/list-canned-policies", {})
    if policy_name(job) in json.loads(answer):
        administer(job, f"DELETE {ADMIN}/remove-canned-policy", {"name": policy_name(job)})


def holders(job: Job) -> list[str]:
    """Return the users that the policy is attached to."""
    _, answer = administer(job, f"GET {ADMIN}/list-users", {})
    return [
        user
        for user, known in json.loads(answer).items()
        if policy_name(job) in (known.get("policyName") or "").split(",")
    ]
