"""A key that may use one bucket and nothing else: what that means, and who makes it.

Each S3 server has a manner of its own, in a module of its own. All of them make the key where it
is missing, take a former bucket's rights away, and drop the key that this one replaces.
"""

from importlib import import_module
from typing import Any

from botocore.exceptions import ClientError
from s3_server import Job, reasons, s3_client

# One name whatever the bucket is called, so that another bucket replaces the first one's rights.
POLICY_NAME = "mlflow-compose-application"
ON_BUCKET = ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")
ON_OBJECTS = (
    "GetObject",
    "PutObject",
    "DeleteObject",
    "AbortMultipartUpload",
    "ListMultipartUploadParts",
)


def make_app_key(job: Job) -> str:
    """Make the application's key; return what was done."""
    maker = import_module(f"app_key_{job.key_maker}")
    with reasons(job):
        replaced = maker.make(job)
    dropped = f", {replaced} replaced" if replaced else ""
    return f"application key allowed on {job.bucket} only{dropped}"


def works(job: Job) -> bool:
    """Tell whether the application's key may use the bucket already."""
    try:
        s3_client(job, job.app).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
    except ClientError:
        return False
    return True


def policy(bucket: str) -> dict[str, Any]:
    """Return what MLflow needs on one bucket and its objects."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement(ON_BUCKET, f"arn:aws:s3:::{bucket}"),
            statement(ON_OBJECTS, f"arn:aws:s3:::{bucket}/*"),
        ],
    }


def statement(actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    """Return one statement of a policy."""
    return {
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [resource],
    }
