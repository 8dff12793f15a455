"""Env files of other MLflow stacks, for `init --from`."""

from collections.abc import Mapping

# Modeled on public stacks: the env file, the expected settings, and the names that are not adopted.
STYLES: Mapping[str, tuple[str, Mapping[str, str], tuple[str, ...]]] = {
    "postgres and a bucket": (
        """\
        POSTGRES_USER=tracker
        POSTGRES_PASSWORD=mlflow
        POSTGRES_DB=runs
        PGPORT=5432
        AWS_ACCESS_KEY_ID=s3admin
        AWS_SECRET_ACCESS_KEY=s3admin
        AWS_DEFAULT_REGION=eu-central-1
        S3_BUCKET=team
        MLFLOW_VERSION=latest
        MLFLOW_HOST=0.0.0.0
        MLFLOW_PORT=5050
        MLFLOW_BACKEND_STORE_URI=postgresql://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db:${PGPORT}/${POSTGRES_DB}
        MLFLOW_S3_ENDPOINT_URL=http://storage:9000
        """,
        {
            "PG_USER": "tracker",
            "PG_DATABASE": "runs",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "MLFLOW_BUCKET_NAME": "team",
            "MLFLOW_PORT": "5050",
        },
        ("POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY", "MLFLOW_VERSION", "MLFLOW_HOST"),
    ),
    "mysql": (
        """\
        MYSQL_DATABASE=mlflow
        MYSQL_USER=mlflow-user
        MYSQL_PASSWORD=mlflow-pass
        MINIO_ACCESS_KEY=minio
        MINIO_SECRET_KEY=minio123
        MINIO_PORT=9100
        MINIO_CONSOLE_PORT=9101
        MLFLOW_SERVER_PORT=5001
        """,
        {"MINIO_PORT": "9100", "MINIO_CONSOLE_ADDRESS": ":9101", "MLFLOW_PORT": "5001"},
        ("MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"),
    ),
    "chains of references": (
        """\
        NAME=lab
        DB=${NAME}_runs
        PG_DATABASE=${DB}
        PG_USER=$NAME
        PG_PASSWORD=${DB_PASSWORD:-postgres}
        MLFLOW_BUCKET_NAME="${BUCKET:-${NAME}}"
        MINIO_ROOT_PASSWORD='of its own $NAME'
        """,
        {"PG_DATABASE": "lab_runs", "PG_USER": "lab", "MINIO_ROOT_PASSWORD": "of its own $NAME"},
        ("NAME", "DB", "PG_PASSWORD"),
    ),
    "colons": (
        """\
        POSTGRES_USER: tracker
        POSTGRES_PASSWORD: a-long-password-of-theirs
        MLFLOW_PORT: 5002
        """,
        {"PG_USER": "tracker", "PG_PASSWORD": "a-long-password-of-theirs", "MLFLOW_PORT": "5002"},
        (),
    ),
    "login": (
        """\
        MLFLOW_APP_NAME=basic-auth
        MLFLOW_USERNAME=teacher
        MLFLOW_PASSWORD=a-long-password-of-theirs
        MLFLOW_FLASK_SERVER_SECRET_KEY=a-key-of-theirs
        POSTGRES_VERSION=16
        """,
        {
            "MLFLOW_AUTH": "basic",
            "MLFLOW_ADMIN_USERNAME": "teacher",
            "MLFLOW_ADMIN_PASSWORD": "a-long-password-of-theirs",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-key-of-theirs",
            "POSTGRES_IMAGE": "postgres:16",
        },
        (),
    ),
    "servers elsewhere": (
        """\
        POSTGRES_HOST=db.example.org
        POSTGRES_PORT=6432
        POSTGRES_PASSWORD=short
        PG_SSLROOTCERT=certs/ca.pem
        MINIO_HOST=minio
        MINIO_ROOT_USER=minioadmin
        MINIO_ROOT_PASSWORD=minioadmin
        """,
        {"PG_HOST": "db.example.org", "PG_PORT": "6432", "PG_PASSWORD": "short"},
        ("MINIO_HOST", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "PG_SSLROOTCERT"),
    ),
    "a bucket elsewhere": (
        """\
        MINIO_HOST=objects.example.org
        AWS_ACCESS_KEY_ID=key-of-the-team
        AWS_SECRET_ACCESS_KEY=short-one
        """,
        {
            "MINIO_HOST": "objects.example.org",
            "MINIO_ACCESS_KEY": "key-of-the-team",
            "MINIO_SECRET_ACCESS_KEY": "short-one",
        },
        (),
    ),
}


def styled(style: str) -> str:
    """Return the env file of a style, without its indentation."""
    return "".join(f"{line.strip()}\n" for line in STYLES[style][0].splitlines())
