"""Create a bucket for DVC, and a key that may use only that bucket.

`mlflow-compose dvc init` runs this once, as this job, with the request on standard input. A bucket
that holds anything is used only if it carries the id of the stack.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from bucket_init import check_app_key, find_bucket, job_of, make_bucket
from s3_server import ROOT_KEY, Job, JobError, Key, explained_errors, s3_client

# Object with the id of the stack that the bucket belongs to. DVC leaves it alone: it only reads and
# deletes what is below its own prefixes.
OWNER = ".mlflow-compose-stack"
MISSING = ("NoSuchKey", "404")


def main(environ: Mapping[str, str], request: Mapping[str, str]) -> int:
    """Do what the request asks for; return the exit code."""
    try:
        for line in prepare(dvc_job(job_of(environ), request), request["identity"]):
            print(line)
    except JobError as error:
        print(f"bucket-init: {error}", file=sys.stderr)
        return 1
    return 0


def dvc_job(job: Job, request: Mapping[str, str]) -> Job:
    """Return the job for DVC's bucket and key instead of MLflow's."""
    key = Key(request["key_id"], request["secret"])
    return replace(
        job,
        bucket=request["bucket"],
        root=job.root if job.has_users else key,
        app=key,
        holder=f"dvc-{request['bucket']}",
        bucket_setting="--bucket",
        app_settings=request["key_settings"],
    )


def prepare(job: Job, identity: str) -> list[str]:
    """Create bucket and key if they are missing; return what was done."""
    done = [make_bucket(job) if job.may_create else find_bucket(job)]
    claim(job, identity)
    if job.key_maker:
        # The module is rendered only if there is a key to create.
        from app_key import make_app_key

        done.append(make_app_key(job))
    check_app_key(job)
    return done


def claim(job: Job, identity: str) -> None:
    """Make sure that the bucket is the stack's; an empty one becomes the stack's."""
    client = s3_client(job, job.root)
    with explained_errors(job, key_settings=ROOT_KEY if job.has_users else job.app_settings):
        owner = read_owner(client, job.bucket)
        if owner == identity:
            return
        if owner:
            raise JobError(f"the bucket {job.bucket} (--bucket) belongs to the stack {owner}")
        if client.list_objects_v2(Bucket=job.bucket, MaxKeys=1).get("Contents"):
            raise JobError(
                f"the bucket {job.bucket} (--bucket) holds objects, but is not one that "
                "mlflow-compose dvc init created"
            )
        client.put_object(Bucket=job.bucket, Key=OWNER, Body=identity.encode())


def read_owner(client: Any, bucket: str) -> str:  # noqa: ANN401 - boto3's
    """Return the id of the stack that a bucket belongs to, empty if it has none."""
    try:
        body = client.get_object(Bucket=bucket, Key=OWNER)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return ""
        raise
    text: bytes = body.read(64)
    return text.decode(errors="replace").strip() or "of an empty id"


if __name__ == "__main__":
    sys.exit(main(os.environ, json.load(sys.stdin)))
