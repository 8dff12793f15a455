"""Look at a stack from the inside: runs where the mlflow service runs, with its secrets.

This file's source is handed to `python -c` in the image, so it imports nothing of ours. It
takes one JSON argument, {"bucket": …, "tracking": URL, "key_is_limited": …} and optionally
{"run_id": …, "objects": {KEY: SIZE}, "experiment_id": …, "model": …}, and prints one JSON object:
for each link its `cause` (empty where all is well), a `detail` and the `seconds` it took.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

Request = Mapping[str, Any]

# Foreign keys, so that a row can be deleted with all that hangs on it.
REFERENCES = """
SELECT child.relname, array_agg(child_column.attname ORDER BY position),
       array_agg(parent_column.attname ORDER BY position)
FROM pg_constraint
JOIN pg_class child ON child.oid = conrelid
CROSS JOIN LATERAL unnest(conkey, confkey) WITH ORDINALITY AS pair(ours, theirs, position)
JOIN pg_attribute child_column
  ON child_column.attrelid = conrelid AND child_column.attnum = pair.ours
JOIN pg_attribute parent_column
  ON parent_column.attrelid = confrelid AND parent_column.attnum = pair.theirs
WHERE contype = 'f' AND confrelid = %s::regclass
GROUP BY pg_constraint.oid, child.relname
"""
GRANTS = "DELETE FROM role_permissions WHERE resource_type = %s AND resource_pattern = %s"


class BrokenLink(Exception):  # noqa: N818 - what it is, not that it is an error
    """A link does not hold; `cause` is a word that `causes` knows."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


def check_network(request: Request) -> str:
    """Call the tracking server by the name that other containers use."""
    server = request["tracking"]
    url = f"{server}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        # Not by a proxy of the environment: it does not know the names of this network.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as answer:
            return f"{server} answered {answer.status}"
    except urllib.error.HTTPError as error:
        if error.code == 401:  # noqa: PLR2004 - it answers, and wants a login
            return f"{server} answered 401: login is on"
        body = error.read().decode(errors="replace")
        cause = "host_refused" if "Host header" in body else "mlflow_error"
        raise BrokenLink(cause, f"{error.code}: {body[:200]}") from error
    except OSError as error:
        raise BrokenLink("mlflow_down", str(error)) from error


def check_database(request: Request) -> str:
    """Log in as MLflow does, and find the run's row."""
    run_id = request.get("run_id")
    with connect() as connection, connection.cursor() as cursor:
        if run_id is None:
            cursor.execute("SELECT version()")
            return str(cursor.fetchone()[0]).split(",")[0]
        cursor.execute("SELECT status FROM runs WHERE run_uuid = %s", (run_id,))
        row = cursor.fetchone()
        if row is None:
            raise BrokenLink("row_missing", f"no row of run {run_id} in table runs")
        return f"run {run_id} is in table runs"


def check_bucket(request: Request) -> str:
    """Read the bucket with the application's key, and find the run's objects."""
    bucket = request["bucket"]
    client = s3()
    call_s3(partial(client.list_objects_v2, Bucket=bucket, MaxKeys=1))
    for key, size in request.get("objects", {}).items():
        found = call_s3(partial(client.head_object, Bucket=bucket, Key=key))
        if found["ContentLength"] != size:
            raise BrokenLink("object_differs", f"{key}: {found['ContentLength']} bytes, not {size}")
    return f"{len(request.get('objects', {}))} objects in bucket {bucket}"


def check_isolation(request: Request) -> str:
    """Make sure that the application's key is refused elsewhere."""
    if not request["key_is_limited"]:
        return "not asked: this S3 server has one key for all buckets"
    other = f"{request['bucket'][:50]}-other"
    try:
        call_s3(partial(s3().list_objects_v2, Bucket=other, MaxKeys=1))
    except BrokenLink as error:
        if error.cause == "s3_key":
            return f"refused on bucket {other}"
        if error.cause != "bucket_missing":
            raise
    # A key without rights is refused before S3 looks whether the bucket exists.
    raise BrokenLink("key_too_strong", f"the key may look for bucket {other}")


def clean(request: Request) -> str:
    """Delete what the check made: for good, so that nothing is left in a trash."""
    try:
        clean_rows(request)
    finally:
        for key in request.get("objects", {}):
            call_s3(partial(s3().delete_object, Bucket=request["bucket"], Key=key))
    return "nothing left"


def clean_rows(request: Request) -> None:
    """Delete the model and the experiment with its run."""
    experiment_id = request.get("experiment_id")
    rows = (
        ("registered_models", "name", request.get("model")),
        ("experiments", "experiment_id", experiment_id and int(experiment_id)),
    )
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('role_permissions')")
        login = cursor.fetchone()[0] is not None
        for table, column, value in rows:
            if value is not None:
                delete(cursor, table, (column,), "(SELECT %s)", value)
            if value is not None and login:
                # With login on, MLflow notes who made it, without a foreign key.
                cursor.execute(GRANTS, (table.removesuffix("s"), str(value)))


def delete(cursor: Any, table: str, columns: tuple[str, ...], chosen: str, value: object) -> None:  # noqa: ANN401
    """Delete the rows of `table` whose `columns` are in `chosen`, and what refers to them."""
    where = f"({', '.join(columns)}) IN {chosen}"
    cursor.execute(REFERENCES, (table,))
    for child, child_columns, parent_columns in cursor.fetchall():
        if child != table:
            # Names come from the database's own catalogue.
            rows = f"(SELECT {', '.join(parent_columns)} FROM {table} WHERE {where})"  # noqa: S608
            delete(cursor, child, tuple(child_columns), rows, value)
    cursor.execute(f"DELETE FROM {table} WHERE {where}", (value,))  # noqa: S608 - see above


def connect() -> Any:  # noqa: ANN401 - psycopg2 is only in the image
    """Open the database as MLflow does."""
    import psycopg2

    try:
        return psycopg2.connect("service=mlflow connect_timeout=5")
    except psycopg2.OperationalError as error:
        said = " ".join(str(error).split())
        words = {"password authentication failed": "pg_password", "does not exist": "pg_missing"}
        causes = (cause for word, cause in words.items() if word in said)
        raise BrokenLink(next(causes, "pg_down"), said) from error


def s3() -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return an S3 client with the application's key."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"],
        config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2}),
    )


def call_s3(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - the answers of boto3
    """Make one call to S3; say why it failed."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        causes = {
            "InvalidAccessKeyId": "s3_key",
            "SignatureDoesNotMatch": "s3_key",
            "AccessDenied": "s3_key",
            "NoSuchBucket": "bucket_missing",
            "404": "object_missing",
        }
        raise BrokenLink(causes.get(code, "s3_error"), f"{code}: {error}") from error
    except BotoCoreError as error:
        raise BrokenLink("s3_down", str(error)) from error


CHECKS: Mapping[str, Callable[[Request], str]] = {
    "database": check_database,
    "bucket": check_bucket,
    "isolation": check_isolation,
    "network": check_network,
    "clean up": clean,
}


def outcome(check: Callable[[Request], str], request: Request) -> dict[str, object]:
    """Run one check; return what it found and how long it took."""
    start, cause = time.perf_counter(), ""
    try:
        detail = check(request)
    except BrokenLink as error:
        cause, detail = error.cause, str(error)
    seconds = round(time.perf_counter() - start, 3)
    return {"cause": cause, "detail": detail, "seconds": seconds}


def main(argument: str) -> None:
    """Run every check and print what they found."""
    request = json.loads(argument)
    found = {name: outcome(check, request) for name, check in CHECKS.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
