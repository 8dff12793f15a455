"""The application's key in Versity S3 Gateway: a user, and a policy of the bucket for that user.

Its administration is requests like those of S3, with XML (`cmd/internal/gwcli/admin.go` upstream).
"""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from app_key import policy
from botocore.exceptions import ClientError
from s3_server import Job, administer, s3_client

# What this job's own policies are known by.
MARK = "MlflowComposeApplication"
ALREADY_THERE = 409


def make(job: Job) -> int:
    """Make the key, or give it today's secret; return how many it replaces."""
    client = s3_client(job, job.root)
    make_user(job)
    before = dict(own_policies(client))
    client.put_bucket_policy(Bucket=job.bucket, Policy=json.dumps(bucket_policy(job)))
    for bucket in before.keys() - {job.bucket}:
        client.delete_bucket_policy(Bucket=bucket)
    replaced = {user for users in before.values() for user in users} - {job.app.id}
    for user in replaced:
        administer(job, "PATCH /delete-user", {"access": user})
    return len(replaced)


def make_user(job: Job) -> None:
    """Make the user; one that is there gets the secret."""
    # By itself, this role may neither make buckets nor use any.
    account = xml("Account", Access=job.app.id, Secret=job.app.secret, Role="user")
    status, _ = administer(job, "PATCH /create-user", {}, account, allowed=ALREADY_THERE)
    if status == ALREADY_THERE:
        changed = xml("MutableProps", Secret=job.app.secret)
        administer(job, "PATCH /update-user", {"access": job.app.id}, changed)


def own_policies(client: Any) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 - boto3's
    """Yield each bucket whose policy this job wrote, with the users that it names."""
    for bucket in client.list_buckets()["Buckets"]:
        try:
            text = client.get_bucket_policy(Bucket=bucket["Name"])["Policy"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
            continue
        for part in json.loads(text)["Statement"]:
            if part.get("Sid") == MARK:
                yield bucket["Name"], part["Principal"]["AWS"]


def bucket_policy(job: Job) -> dict[str, Any]:
    """Return what the application may do, as a policy of the bucket."""
    found = policy(job.bucket)
    for part in found["Statement"]:
        part.update({"Sid": MARK, "Principal": {"AWS": [job.app.id]}})
    return found


def xml(name: str, **values: str) -> bytes:
    """Return an element with these children."""
    element = ET.Element(name)
    for child, text in values.items():
        ET.SubElement(element, child).text = text
    return ET.tostring(element, encoding="unicode").encode()
