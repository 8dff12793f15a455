"""A key that may use only one bucket: its policy, and how it is created.

The application has one, and DVC one for each of its buckets. Each S3 server has a module
`app_key_SERVER`. They all create the key if it is missing, revoke the access to a former bucket,
and delete the keys of the same holder that this one replaces.
"""

from importlib import import_module
from typing import Any

from botocore.exceptions import ClientError
from s3_server import Job, explained_errors, s3_client

ON_BUCKET = ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")
ON_OBJECTS = (
    "GetObject",
    "PutObject",
    "DeleteObject",
    "AbortMultipartUpload",
    "ListMultipartUploadParts",
)


def make_app_key(job: Job) -> str:
    """Create the key of the job's holder; return what was done."""
    maker = import_module(f"app_key_{job.key_maker}")
    with explained_errors(job):
        replaced = maker.make(job)
    deleted = f"; former keys deleted: {replaced}" if replaced else ""
    return f"{job.holder} key limited to bucket {job.bucket}{deleted}"


def remove_app_key(job: Job) -> None:
    """Delete the key of the job's holder."""
    with explained_errors(job):
        import_module(f"app_key_{job.key_maker}").remove(job)


def policy_name(job: Job) -> str:
    """Return the name of the key's policy.

    It is the same for every bucket of the application, so that the policy of a new bucket replaces
    that of the old one.
    """
    return f"mlflow-compose-{job.holder}"


def works(job: Job) -> bool:
    """Tell whether the key may use the bucket already."""
    try:
        s3_client(job, job.app).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
    except ClientError:
        return False
    return True


def policy(bucket: str) -> dict[str, Any]:
    """Return the policy for what MLflow and DVC need in one bucket."""
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
