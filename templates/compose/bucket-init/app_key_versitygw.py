"""A key for one bucket in Versity S3 Gateway: a user, and a bucket policy for that user.

Its admin API uses S3-like requests with XML (`cmd/internal/gwcli/admin.go` upstream).
"""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from app_key import policy
from botocore.exceptions import ClientError
from s3_server import Job, administer, s3_client

ALREADY_THERE, NOT_THERE = 409, 404


def make(job: Job) -> int:
    """Create the key or update its secret; return how many keys it replaces."""
    client = s3_client(job, job.root)
    make_user(job)
    before = dict(own_policies(client, mark(job)))
    client.put_bucket_policy(Bucket=job.bucket, Policy=json.dumps(bucket_policy(job)))
    for bucket in before.keys() - {job.bucket}:
        client.delete_bucket_policy(Bucket=bucket)
    replaced = {user for users in before.values() for user in users} - {job.app.id}
    for user in replaced:
        administer(job, "PATCH /delete-user", {"access": user})
    return len(replaced)


def remove(job: Job) -> None:
    """Delete the key, if it exists; its policy went with the bucket."""
    administer(job, "PATCH /delete-user", {"access": job.app.id}, allowed=NOT_THERE)


def make_user(job: Job) -> None:
    """Create the user, or update the secret of an existing one."""
    # Without a policy, this role may neither create nor use buckets.
    account = xml("Account", Access=job.app.id, Secret=job.app.secret, Role="user")
    status, _ = administer(job, "PATCH /create-user", {}, account, allowed=ALREADY_THERE)
    if status == ALREADY_THERE:
        changed = xml("MutableProps", Secret=job.app.secret)
        administer(job, "PATCH /update-user", {"access": job.app.id}, changed)


def mark(job: Job) -> str:
    """Return the id of the statements that this job wrote for the key's holder.

    It has only letters and digits, and is another one for each holder.
    """
    kind, _, bucket = job.holder.partition("-")
    return f"MlflowCompose{kind.title()}{bucket.encode().hex()}"


def own_policies(client: Any, mark: str) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401 - boto3's
    """Yield each bucket whose policy has this mark, with the users in it."""
    for bucket in client.list_buckets()["Buckets"]:
        try:
            text = client.get_bucket_policy(Bucket=bucket["Name"])["Policy"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
            continue
        for part in json.loads(text)["Statement"]:
            if part.get("Sid") == mark:
                yield bucket["Name"], part["Principal"]["AWS"]


def bucket_policy(job: Job) -> dict[str, Any]:
    """Return the bucket policy for the key."""
    found = policy(job.bucket)
    for part in found["Statement"]:
        part.update({"Sid": mark(job), "Principal": {"AWS": [job.app.id]}})
    return found


def xml(name: str, **values: str) -> bytes:
    """Return an XML element with these children."""
    element = ET.Element(name)
    for child, text in values.items():
        ET.SubElement(element, child).text = text
    return ET.tostring(element, encoding="unicode").encode()
