"""`init --from`: the env file of another MLflow stack becomes one of ours."""

from collections.abc import Mapping

import pytest

from mlflow_compose.settings import translate
from mlflow_compose.settings.envfile import parse
from tests.unit.conftest import User

# In the manner of public stacks, in words of our own: which settings come out, and what is refused.
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
    """Return an env file in a style, from the first column."""
    return "".join(f"{line.strip()}\n" for line in STYLES[style][0].splitlines())


@pytest.mark.parametrize("style", STYLES)
def test_what_has_a_counterpart_must_be_taken_over_and_the_rest_told(style: str) -> None:
    _, values, left_out = STYLES[style]
    found = translate(styled(style))
    assert values.items() <= found.values.items()
    assert {*left_out} <= found.left_out.keys()
    assert all(found.left_out.values())
    # Each name is accounted for, once.
    names = parse(styled(style).replace(": ", "=")).values.keys()
    taken = {found.renamed.get(setting, setting) for setting in found.values}
    assert taken | found.left_out.keys() == names
    assert not taken & found.left_out.keys()


@pytest.mark.parametrize("style", STYLES)
def test_one_command_must_write_a_file_that_can_be_used(style: str, user: User) -> None:
    (user.folder / "theirs.env").write_text(styled(style), encoding="utf-8")
    assert user.types("init", "--from", "theirs.env").code == 0
    written = parse((user.folder / ".env").read_text(encoding="utf-8")).values
    assert STYLES[style][1].items() <= written.items()
    assert user.types("config").code == 0
    assert not {"mlflow", "minio", "minio123", "minioadmin", "postgres"} & {
        value for name, value in written.items() if "PASSWORD" in name or "KEY" in name
    }


def test_what_was_done_must_be_said_without_passwords(user: User) -> None:
    (user.folder / "theirs.env").write_text(styled("postgres and a bucket"), encoding="utf-8")
    said = user.types("init", "--from", "theirs.env", "--set", "MLFLOW_PORT=5051")
    assert "POSTGRES_USER is PG_USER here" in said.out
    assert "POSTGRES_PASSWORD is left out: it is well known; a random one" in said.out
    assert "s3admin" not in said.out
    text = (user.folder / ".env").read_text(encoding="utf-8")
    assert parse(text).values["MLFLOW_PORT"] == "5051"


def test_a_file_that_is_not_there_must_be_named(user: User) -> None:
    said = user.types("init", "--from", "nothing.env")
    assert said.code == 2
    assert "nothing.env does not exist" in said.err
    assert not (user.folder / ".env").exists()
