"""Causes in other words where a server is not the stack's own, so that nobody here can mend it."""

from collections.abc import Mapping

from mlflow_compose.checks.bundled_causes import CAUSES, Cause
from mlflow_compose.stack import Stack

DATABASE: Mapping[str, Cause] = {
    "pg_down": Cause(
        "the database at PG_HOST and PG_PORT does not answer",
        "set PG_HOST and PG_PORT in .env to where it answers, and let this machine in there",
    ),
    "pg_host": Cause(
        "there is no machine called as PG_HOST says",
        "set PG_HOST in .env to the name or the address of the database's machine",
    ),
    "pg_password": Cause(
        "the database refuses PG_USER with PG_PASSWORD",
        "set PG_USER and PG_PASSWORD in .env to a login that the database knows",
    ),
    "pg_missing": Cause(
        "the database server has no PG_DATABASE or PG_USER of that name",
        "make it there (CREATE DATABASE, CREATE ROLE), or set PG_DATABASE and PG_USER in .env",
    ),
    "pg_old": Cause("the database server is too old", "set PG_HOST in .env to a server of today"),
}
S3: Mapping[str, Cause] = {
    "s3_down": Cause(
        "the S3 server at MINIO_HOST and MINIO_PORT does not answer",
        "set MINIO_HOST and MINIO_PORT in .env to where it answers, and let this machine in there",
    ),
    "s3_key": Cause(
        "the S3 server refuses MINIO_ACCESS_KEY with MINIO_SECRET_ACCESS_KEY",
        "set both in .env to a key that the server knows, then mlflow-compose up",
    ),
    "s3_forbidden": Cause(
        "the S3 server does not allow MINIO_ACCESS_KEY to use the bucket (MLFLOW_BUCKET_NAME)",
        "allow it there, or set another key or bucket in .env, then mlflow-compose up",
    ),
    "bucket_missing": Cause(
        "the bucket (MLFLOW_BUCKET_NAME) is missing in the S3 server",
        "make it there, or set MLFLOW_BUCKET_CREATE=true in .env, then mlflow-compose up",
    ),
    "object_differs": Cause(
        "an artifact has another size than what was stored",
        "mlflow-compose logs mlflow shows more; the S3 server's disk may be full",
    ),
    "s3_error": Cause(
        "the S3 server answered with an error", "mlflow-compose logs mlflow shows more"
    ),
}
AMAZON: Mapping[str, Cause] = {
    "s3_down": Cause(
        "Amazon's S3 cannot be reached",
        "let this machine reach it, and set AWS_DEFAULT_REGION in .env to the bucket's region",
    ),
}


def causes(stack: Stack) -> Mapping[str, Cause]:
    """Return every cause in the words that are right for a stack."""
    stores = stack.stores
    return {
        **CAUSES,
        **(DATABASE if stores.runs.external else {}),
        **(S3 if stores.artifacts.external else {}),
        **(AMAZON if stores.artifacts.external and not stack.site.s3 else {}),
    }
