"""Buckets and keys of seats, each limited to its bucket."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from bucket_init import check_app_key, job_of, make_bucket
from s3_server import Job, JobError, Key, explained_errors, s3_client

Seat = Mapping[str, Any]


def check_free(seat: Seat, environ: Mapping[str, str]) -> None:
    """Make sure that a new seat does not get the objects of others.

    Raises:
        JobError: Its bucket exists, and holds some.
    """
    job = seat_job(seat, environ)
    with explained_errors(job):
        try:
            found = s3_client(job, job.root).list_objects_v2(Bucket=job.bucket, MaxKeys=1)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            return
    if found.get("Contents"):
        raise JobError(f"the bucket {job.bucket} holds objects, but is not one of this seat")


def create(seat: Seat, environ: Mapping[str, str]) -> None:
    """Create a seat's bucket and its key."""
    job = seat_job(seat, environ)
    make_bucket(job)
    if job.key_maker:
        # The module is rendered only if there is a key to create.
        from app_key import make_app_key

        make_app_key(job)
    check_app_key(job)


def seat_job(seat: Seat, environ: Mapping[str, str]) -> Job:
    """Return the job for a seat's bucket and key instead of MLflow's."""
    job = job_of(environ)
    key = Key(seat["key_id"], seat["secret"])
    return replace(
        job,
        bucket=seat["bucket"],
        # Without Docker, each key has a folder of its own, which no other can see.
        root=job.root if job.has_users else key,
        app=key,
        holder=f"seat-{seat['name']}",
        bucket_setting="CLASS_SEATS",
        app_settings="CLASS_SECRET",
    )


def remove(seat: Seat, environ: Mapping[str, str]) -> None:
    """Delete a seat's bucket with all of its objects, and then its key."""
    job = seat_job(seat, environ)
    with explained_errors(job):
        client = s3_client(job, job.root)
        try:
            empty(client, job.bucket)
            client.delete_bucket(Bucket=job.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
    if job.key_maker:
        from app_key import remove_app_key

        remove_app_key(job)


def empty(client: Any, bucket: str) -> None:  # noqa: ANN401 - boto3's
    """Delete all objects of a bucket, and what was never uploaded completely."""
    for upload in uploads(client, bucket):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        # One by one: servers disagree about the digest of requests that delete several.
        for found in page.get("Contents", ()):
            client.delete_object(Bucket=bucket, Key=found["Key"])


def uploads(client: Any, bucket: str) -> Iterator[Mapping[str, str]]:  # noqa: ANN401 - boto3's
    """Yield the uploads of a bucket that were never completed."""
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            yield from page.get("Uploads", ())
    except ClientError as error:
        # rclone's answer if there are none.
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
