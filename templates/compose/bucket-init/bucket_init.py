"""Create the bucket, and a key that may use only that bucket.

Runs at every start of the stack. The policy belongs to this job: it is written again each time, and
former keys of the application that still have it are deleted. Any failure ends the job with exit
code 1 and a message of one sentence; Compose then does not start MLflow.
"""
# ruff: noqa: E402

import gc

if __name__ == "__main__":
    # The job ends before there is much to free, and collecting would take a fifth of its time.
    gc.disable()

import configparser
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from s3_server import (
    APP_KEY,
    NO_KEY,
    ROLE,
    ROOT_KEY,
    Job,
    JobError,
    Key,
    explained_errors,
    s3_client,
    wait_until_ready,
)

OWN = "BucketAlreadyOwnedByYou"
# Some servers only have the second. On Amazon, where names are global, it means another account's bucket.
ALREADY_THERE = (OWN, "BucketAlreadyExists")
REGION_WITHOUT_CONSTRAINT = "us-east-1"
# Key of an object that is written and deleted again.
CHECK = ".mlflow-compose-check"
# Seconds to wait for a server that starts at the same time, as in the health checks.
PATIENCE = 300


def main(environ: Mapping[str, str]) -> int:
    """Run the job that the environment describes; return the exit code."""
    try:
        job = job_of(environ)
        if "S3_READY" in environ:
            wait_until_ready(f"{job.endpoint}{environ['S3_READY']}", PATIENCE)
        print(make_bucket(job) if job.may_create else find_bucket(job))
        if job.key_maker:
            # The module is rendered only if there is a key to create.
            from app_key import make_app_key

            print(make_app_key(job))
        check_app_key(job)
    except JobError as error:
        print(f"bucket-init: {error}", file=sys.stderr)
        return 1
    return 0


def job_of(environ: Mapping[str, str]) -> Job:
    """Return the job that the environment describes."""
    return Job(
        # Without an endpoint, boto3 uses Amazon S3 in the region.
        endpoint=environ.get("S3_ENDPOINT"),
        bucket=environ["S3_BUCKET"],
        region=environ["AWS_DEFAULT_REGION"],
        # A server without users has only the application's key.
        root=key_of(environ, "ROOT_KEY_FILE", "APP_KEY_FILE"),
        app=key_of(environ, "APP_KEY_FILE"),
        may_create=environ.get("S3_BUCKET_CREATE", "true") == "true",
        key_maker=environ.get("KEY_MAKER", ""),
        app_settings=APP_KEY if "APP_KEY_FILE" in environ else ROLE,
    )


def key_of(environ: Mapping[str, str], *names: str) -> Key:
    """Return the key in the first file that the environment names."""
    return next((read_key(Path(environ[name])) for name in names if name in environ), NO_KEY)


def read_key(path: Path) -> Key:
    """Read the default profile of an AWS credentials file."""
    # Raw: a secret may contain a %.
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8"))
    profile = parser["default"]
    return Key(profile["aws_access_key_id"], profile["aws_secret_access_key"])


def make_bucket(job: Job) -> str:
    """Create the bucket if it does not exist; return what was done."""
    client = s3_client(job, job.root)
    constraint: dict[str, Any] = (
        {}
        if job.region == REGION_WITHOUT_CONSTRAINT
        else {"CreateBucketConfiguration": {"LocationConstraint": job.region}}
    )
    with explained_errors(job, key_settings=ROOT_KEY if job.has_users else job.app_settings):
        try:
            client.create_bucket(Bucket=job.bucket, **constraint)
        except ClientError as error:
            if error.response["Error"]["Code"] not in (ALREADY_THERE if job.endpoint else (OWN,)):
                raise
            return f"bucket {job.bucket} exists"
    return f"bucket {job.bucket} created"


def find_bucket(job: Job) -> str:
    """Check that the bucket exists."""
    with explained_errors(job, key_settings=job.app_settings):
        # Not a HEAD request, whose response has no error message.
        s3_client(job, job.app).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
    return f"bucket {job.bucket} exists"


def check_app_key(job: Job) -> None:
    """Check that the application's key works, before MLflow fails with it."""
    client = s3_client(job, job.app)
    with explained_errors(job, key_settings=job.app_settings):
        client.list_objects_v2(Bucket=job.bucket, MaxKeys=1)
        if job.has_users:
            # This job itself has just granted what the key may do.
            return
        client.put_object(Bucket=job.bucket, Key=CHECK, Body=b"")
        client.delete_object(Bucket=job.bucket, Key=CHECK)


if __name__ == "__main__":
    # By default, the first process of a container ignores the signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(os.environ))
