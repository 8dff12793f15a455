"""Buckets and keys of seats, each limited to its bucket."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bucket_init import check_app_key, job_of, make_bucket
from s3_server import Job, Key

Seat = Mapping[str, Any]


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
