"""Every cause that the checks know, in words, each with the next command.

Where a server is not the stack's own, `external_causes` has other words for some of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a stack does not do its work."""

    sentence: str
    hint: str


CAUSES: Mapping[str, Cause] = {
    "pg_down": Cause(
        "PostgreSQL cannot be reached from mlflow", "mlflow-compose logs postgres shows why"
    ),
    "pg_password": Cause(
        "PostgreSQL refuses PG_PASSWORD: the database was made with another one",
        "set PG_PASSWORD back in .env; to change it, change it in the database first (ALTER ROLE)",
    ),
    "pg_missing": Cause(
        "PostgreSQL has no such database or user: it was made with other ones",
        "set PG_DATABASE and PG_USER back in .env, or make them in the database first",
    ),
    # Among containers, a server that is down has no name.
    "pg_host": Cause(
        "PostgreSQL cannot be reached from mlflow", "mlflow-compose logs postgres shows why"
    ),
    "pg_error": Cause(
        "PostgreSQL refuses what MLflow asks of it", "mlflow-compose logs mlflow shows more"
    ),
    "pg_no_tls": Cause(
        "the database has no TLS, and PG_SSLMODE asks for it",
        "turn TLS on in the database, or set PG_SSLMODE=prefer in .env",
    ),
    "pg_tls_required": Cause(
        "the database takes nobody without TLS", "set PG_SSLMODE=require in .env"
    ),
    "pg_certificate": Cause(
        "the database's certificate does not prove that it is PG_HOST",
        "set PG_SSLROOTCERT in .env to the CA certificates that signed it",
    ),
    "pg_certificate_name": Cause(
        "the database's certificate is for another machine than PG_HOST",
        "set PG_HOST in .env to a name that the certificate has, or PG_SSLMODE=verify-ca, "
        "which compares no names",
    ),
    "pg_forbidden": Cause(
        "the database does not let PG_USER in from here",
        "let PG_USER into PG_DATABASE from this machine's address (pg_hba.conf, GRANT CONNECT), "
        "or set another PG_USER in .env",
    ),
    "pg_rights": Cause(
        "PG_USER may not make tables in the database",
        "GRANT CREATE ON SCHEMA public TO the user, or set another PG_USER in .env",
    ),
    "pg_old": Cause(
        "the database server is too old", "leave POSTGRES_IMAGE out of .env, or set a newer one"
    ),
    "sqlite": Cause(
        "the file of the database cannot be used", "mlflow-compose logs mlflow shows more"
    ),
    "row_missing": Cause(
        "MLflow said that it stored a run, and the database does not have it",
        "mlflow-compose logs mlflow shows where it stored it",
    ),
    "s3_down": Cause("S3 cannot be reached from mlflow", "mlflow-compose logs s3 shows why"),
    "s3_key": Cause(
        "S3 refuses the application's key (MINIO_ACCESS_KEY, MINIO_SECRET_ACCESS_KEY)",
        "mlflow-compose up makes the key again",
    ),
    "s3_forbidden": Cause(
        "S3 does not allow the application's key to use the bucket (MLFLOW_BUCKET_NAME)",
        "mlflow-compose up allows it again",
    ),
    "s3_certificate": Cause(
        "the certificate of the S3 server is not trusted",
        "set MINIO_STORAGE_CA_CERTS in .env to the CA certificates that signed it",
    ),
    "bucket_missing": Cause(
        "the bucket (MLFLOW_BUCKET_NAME) is missing in S3", "mlflow-compose up makes it again"
    ),
    "object_missing": Cause(
        "MLflow said that it stored an artifact, and it is not there",
        "mlflow-compose logs mlflow shows where it stored it",
    ),
    "object_differs": Cause(
        "an artifact has another size than what was stored",
        "mlflow-compose logs shows whether a disk is full",
    ),
    "s3_error": Cause("S3 answered with an error", "mlflow-compose logs s3 shows more"),
    "key_too_strong": Cause(
        "the application's key may use other buckets than MLFLOW_BUCKET_NAME",
        "set a new MINIO_ACCESS_KEY in .env, then mlflow-compose up",
    ),
    "host_refused": Cause(
        "MLflow refuses the Host header of requests that come by this name",
        "add the name to MLFLOW_ALLOWED_HOSTS in .env, then mlflow-compose up",
    ),
    "mlflow_down": Cause(
        "MLflow does not answer inside of its network", "mlflow-compose logs mlflow shows why"
    ),
    "mlflow_error": Cause("MLflow answered with an error", "mlflow-compose logs mlflow shows more"),
    "past_the_proxy": Cause(
        "MLflow sends its clients past the proxy, to an address that only it can reach",
        "leave MLFLOW_IMAGE out of .env: the image that is built here does not",
    ),
    "login_refused": Cause(
        "MLflow refuses MLFLOW_ADMIN_USERNAME with MLFLOW_ADMIN_PASSWORD",
        "set MLFLOW_ADMIN_PASSWORD in .env to the admin's password of today",
    ),
    "not_published": Cause(
        "MLflow runs, and its port is not published on this machine",
        "mlflow-compose up publishes it again; a firewall or a proxy may be in between",
    ),
    "no_answer": Cause(
        "MLflow answers in its network, but not on this machine",
        "run mlflow-compose verify again; a firewall or a proxy may be in between",
    ),
    "nothing_runs": Cause("the stack is not running", "mlflow-compose up starts it"),
    "probe_failed": Cause(
        "the stack could not be looked at from inside", "mlflow-compose logs mlflow shows more"
    ),
}
