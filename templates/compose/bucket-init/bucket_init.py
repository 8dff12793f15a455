"""Make the bucket, and a key that may use that bucket and nothing else.

Runs at every start of the stack. The policy is this job's own: it is written anew, and a key
that held it before and is not the application's any more is removed. Whatever goes wrong ends
the job with exit code 1 and one sentence, and Compose then does not start MLflow.
"""

import configparser
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

ROOT_KEY = "MINIO_ROOT_USER and MINIO_ROOT_PASSWORD"
APP_KEY = "MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"
ALREADY_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
FORBIDDEN = ("AccessDenied", "AllAccessDisabled")
# One name whatever the bucket is called, so that another bucket replaces the first one's rights.
POLICY_NAME = "mlflow-compose-application"
REGION_WITHOUT_CONSTRAINT = "us-east-1"
# An object that is written and deleted again.
CHECK = ".mlflow-compose-check"


class JobError(Exception):
    """One sentence on why the job cannot be done."""


@dataclass(frozen=True)
class Key:
    """An S3 access key."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Job:
    """What to make, and where."""

    endpoint: str | None
    bucket: str
    region: str
    root: Key
    app: Key
    may_create: bool = True

    @property
    def has_users(self) -> bool:
        """Whether the server knows more keys than its root's."""
        return self.root != self.app


def main(environ: Mapping[str, str]) -> int:
    """Do the job that the environment describes; return the exit code."""
    try:
        job = Job(
            # Without one, it is Amazon's, which is found by its region.
            endpoint=environ.get("S3_ENDPOINT"),
            bucket=environ["S3_BUCKET"],
            region=environ["AWS_DEFAULT_REGION"],
            # A server without users has one key: the application's.
            root=read_key(Path(environ.get("ROOT_KEY_FILE", environ["APP_KEY_FILE"]))),
            app=read_key(Path(environ["APP_KEY_FILE"])),
            may_create=environ.get("S3_BUCKET_CREATE", "true") == "true",
        )
        print(make_bucket(job) if job.may_create else find_bucket(job))
        if job.has_users:
            print(make_app_key(job))
        check_app_key(job)
    except JobError as error:
        print(f"bucket-init: {error}", file=sys.stderr)
        return 1
    return 0


def read_key(path: Path) -> Key:
    """Read the default profile of an AWS credentials file."""
    # Raw: a secret may hold a %.
    parser = configparser.RawConfigParser()
    parser.read_string(path.read_text(encoding="utf-8"))
    profile = parser["default"]
    return Key(profile["aws_access_key_id"], profile["aws_secret_access_key"])


def make_bucket(job: Job) -> str:
    """Make the bucket where it is missing; return what was done."""
    client = s3_client(job, job.root)
    constraint: dict[str, Any] = (
        {}
        if job.region == REGION_WITHOUT_CONSTRAINT
        else {"CreateBucketConfiguration": {"LocationConstraint": job.region}}
    )
    with reasons(job, whose=ROOT_KEY if job.has_users else APP_KEY):
        try:
            client.create_bucket(Bucket=job.bucket, **constraint)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ALREADY_THERE:
                raise
            return f"bucket {job.bucket} is there"
    return f"bucket {job.bucket} made"


def find_bucket(job: Job) -> str:
    """Make sure that the bucket is there."""
    with reasons(job, whose=APP_KEY):
        # Not by a HEAD request, whose answer has no words.
        s3_client(job, job.app).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
    return f"bucket {job.bucket} is there"


def make_app_key(job: Job) -> str:
    """Make the application's key where it is missing, and drop the one that it replaces."""
    admin = MinioAdmin(
        endpoint=urlsplit(job.endpoint or "").netloc,
        credentials=StaticProvider(job.root.id, job.root.secret),
        region=job.region,
        secure=(job.endpoint or "").startswith("https"),
        http_client=PoolManager(timeout=Timeout(connect=5, read=15), retries=Retry(2)),
    )
    with reasons(job):
        known = POLICY_NAME in json.loads(admin.policy_list())
        admin.policy_add(POLICY_NAME, policy=policy(job.bucket))
        if known and works(job):
            return f"application key allowed on {job.bucket} only"
        # Encrypted calls cost the server 64 MB each, which it keeps: as few as can be.
        admin.user_add(job.app.id, job.app.secret)
        admin.policy_set(POLICY_NAME, user=job.app.id)
        others = holders(admin, POLICY_NAME) if known else []
        replaced = [user for user in others if user != job.app.id]
        for user in replaced:
            admin.user_remove(user)
    dropped = f", {len(replaced)} replaced" if replaced else ""
    return f"application key allowed on {job.bucket} only{dropped}"


def works(job: Job) -> bool:
    """Tell whether the application's key may use the bucket already."""
    try:
        s3_client(job, job.app).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
    except ClientError:
        return False
    return True


def holders(admin: MinioAdmin, policy_name: str) -> list[str]:
    """Return the users that a policy is attached to."""
    entities = json.loads(admin.get_policy_entities([], [], [policy_name]))
    mappings = entities.get("policyMappings") or []
    return [user for mapping in mappings for user in mapping.get("users") or []]


def check_app_key(job: Job) -> None:
    """Make sure that the application's key works: better here than in MLflow."""
    client = s3_client(job, job.app)
    with reasons(job, whose=APP_KEY):
        client.list_objects_v2(Bucket=job.bucket, MaxKeys=1)
        if job.has_users:
            # What the key may do is what this job just allowed.
            return
        client.put_object(Bucket=job.bucket, Key=CHECK, Body=b"")
        client.delete_object(Bucket=job.bucket, Key=CHECK)


def policy(bucket: str) -> dict[str, Any]:
    """Return what MLflow needs on one bucket and its objects."""
    on_bucket = ["ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"]
    on_objects = [
        "GetObject",
        "PutObject",
        "DeleteObject",
        "AbortMultipartUpload",
        "ListMultipartUploadParts",
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement(on_bucket, f"arn:aws:s3:::{bucket}"),
            statement(on_objects, f"arn:aws:s3:::{bucket}/*"),
        ],
    }


def statement(actions: list[str], resource: str) -> dict[str, Any]:
    """Return one statement of a policy."""
    return {
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [resource],
    }


def s3_client(job: Job, key: Key) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return an S3 client that gives up within seconds."""
    return boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=job.region,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 3}),
    )


@contextmanager
def reasons(job: Job, whose: str = ROOT_KEY) -> Iterator[None]:
    """Turn whatever the block raises into a sentence."""
    try:
        yield
    except ClientError as error:
        raise JobError(refusal(job, error, whose)) from error
    except MinioAdminException as error:
        raise JobError(f"the S3 server refused an administration request: {error}") from error
    except SSLError as error:
        raise JobError(
            f"the certificate of the S3 server at {job.endpoint} is not trusted "
            f"(MINIO_STORAGE_CA_CERTS): {error}"
        ) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise JobError(unreachable(job, str(error))) from error


def unreachable(job: Job, said: str) -> str:
    """Say why there is no answer."""
    host = urlsplit(job.endpoint or "").hostname
    if host and not job.has_users and not is_known(host):
        return f"there is no machine called {host} (MINIO_HOST)"
    return f"the S3 server at {job.endpoint} cannot be reached: {said}"


def is_known(host: str) -> bool:
    """Tell whether a name leads to a machine."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        return False
    return True


def refusal(job: Job, error: ClientError, whose: str) -> str:
    """Say why the S3 server refused a request."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    server = f"the S3 server at {job.endpoint}" if job.endpoint else "S3"
    named = f"the bucket {job.bucket} (MLFLOW_BUCKET_NAME)"
    if code in WRONG_KEY or (job.has_users and code == "AccessDenied"):
        return f"{server} refused the key of {whose} ({code}): it knows another one"
    if code in {"404", "NoSuchBucket"}:
        return f"{named} is missing; make it, or set MLFLOW_BUCKET_CREATE=true"
    if code in {"301", "PermanentRedirect", "AuthorizationHeaderMalformed"}:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = headers.get("x-amz-bucket-region", "another region")
        return f"{named} is in {region}, not in {job.region} (AWS_DEFAULT_REGION)"
    if code == "403" or code in FORBIDDEN:
        return f"{server} does not allow the key of {whose} to use {named} ({code})"
    if code == "InvalidBucketName":
        return f"the S3 server does not allow the bucket name {job.bucket} (MLFLOW_BUCKET_NAME)"
    return f"the S3 server refused {named}: {message or code} ({code})"


if __name__ == "__main__":
    sys.exit(main(os.environ))
