"""Fill a stack with runs and artifacts."""

import io
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench import data
from bench.load import Api
from bench.stack import BUCKET, S3, Stack

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

RUNS, POINTS = 1000, 100
THREADS = 4
# Each run has one point already.
POINTS_SQL = """
INSERT INTO metrics (key, value, "timestamp", run_uuid, step, is_nan)
SELECT 'loss', random(), 1700000000000 + step, run_uuid, step, false
FROM runs, generate_series(1, {last}) AS step WHERE experiment_id = {experiment};
ANALYZE;
"""


def add_runs(stack: Stack, api: Api) -> str:
    """Create an experiment with runs that have many points; return its id."""
    experiment = data.add_runs(stack, api, RUNS)
    stack.sql(POINTS_SQL.format(last=POINTS - 1, experiment=int(experiment)))
    return experiment


def add_artifacts(s3: S3, experiment: str, sizes: Sequence[int], first: int) -> None:
    """Store files with random contents, numbered from `first`."""
    server = client(s3)

    def store(number: int, size: int) -> None:
        key = f"{experiment}/{number % RUNS:032x}/artifacts/file-{number}"
        server.upload_fileobj(io.BytesIO(secrets.token_bytes(size)), BUCKET, key)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(store, range(first, first + len(sizes)), sizes):
            pass


def client(s3: S3) -> "S3Client":
    """Return a client of the S3 server."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.key,
        aws_secret_access_key=s3.secret,
        region_name="us-east-1",
    )
