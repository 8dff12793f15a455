"""A problem with a store is reported, and nothing that needs the store is started."""

import secrets
from collections.abc import Mapping

import pytest

from .conftest import MakeStack
from .local_stack import LocalStack
from .outside import database, objects
from .running import RunningStack, docker_only, local_only
from .small import SMALLEST
from .tool import Output, run
from .waiting import free_ports

SAME = "the same code talks to the same servers on both engines, and this one starts faster"


@pytest.fixture(scope="module")
def with_external_database(_make_for_module: MakeStack, outside: RunningStack) -> RunningStack:
    """Return a stack with an external database, not started."""
    return _make_for_module(**database(outside), ARTIFACT_STORE="local")


@pytest.fixture(scope="module")
def with_external_bucket(_make_for_module: MakeStack, outside: RunningStack) -> RunningStack:
    """Return a stack with an external bucket, whose MLflow is never started."""
    return _make_for_module(**objects(outside), BACKEND_STORE="sqlite")


@local_only("on Docker the file is in a volume, and the same code reads it")
def test_a_file_that_is_not_a_database_must_be_reported(make_stack: MakeStack) -> None:
    stack = make_stack(**SMALLEST)
    file = stack.folder / "local/data/mlflow_data/mlflow.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(secrets.token_bytes(4096))
    # Without waiting until it has failed several times.
    output = stack.up("--wait-timeout", "1", code=3)
    output.shows("error: the SQLite file cannot be used", "not a database")


WRONG: Mapping[str, tuple[dict[str, str], str]] = {
    "wrong password": ({"PG_PASSWORD": "another"}, "the database refuses PG_USER with PG_PASSWORD"),
    "wrong database": (
        {"PG_DATABASE": "nowhere"},
        "the database server has no database PG_DATABASE",
    ),
    "unknown host": (
        {"PG_HOST": "no.such.host.invalid"},
        "PG_HOST does not resolve",
    ),
    "no TLS there": ({"PG_SSLMODE": "require"}, "the database does not support TLS"),
}


@local_only(SAME)
@pytest.mark.parametrize("problem", WRONG)
def test_a_problem_with_a_database_must_be_reported_before_anything_starts(
    problem: str, with_external_database: RunningStack
) -> None:
    changed, sentence = WRONG[problem]
    with with_external_database.changed(**changed):
        with_external_database.up(code=1).shows(f"error: {sentence}", "hint: ")
    assert with_external_database.starts() == {}


@local_only(SAME)
def test_a_database_port_that_does_not_answer_must_be_reported(
    with_external_database: RunningStack,
) -> None:
    (port,) = free_ports(1)
    with with_external_database.changed(PG_PORT=str(port)):
        with_external_database.up(code=1).shows("PG_HOST and PG_PORT does not answer", "hint: ")


@local_only(SAME)
def test_a_user_who_may_not_create_tables_must_be_reported(
    outside: RunningStack, with_external_database: RunningStack
) -> None:
    user = f"reader_{secrets.token_hex(4)}"
    outside.sql(f"CREATE ROLE {user} LOGIN PASSWORD 'reading only'")
    with with_external_database.changed(PG_USER=user, PG_PASSWORD="reading only"):
        with_external_database.up(code=1).shows("PG_USER may not create tables", "GRANT CREATE")


@local_only(SAME)
def test_a_key_that_an_s3_server_refuses_must_keep_mlflow_from_starting(
    with_external_bucket: RunningStack,
) -> None:
    with with_external_bucket.changed(MINIO_ACCESS_KEY="another-key-id"):
        output = with_external_bucket.up(code=1)
    output.shows(
        "error: bucket-init ended with exit code 1", "rejected the key in MINIO_ACCESS_KEY"
    )
    assert with_external_bucket.health("mlflow") != "healthy"


def bucket_job(stack: RunningStack) -> Output:
    """Run only the bucket job, as supervisord does for `up`, which shows its output."""
    assert isinstance(stack, LocalStack)
    stack.tool("render")
    return run("sh", "bucket-init/run.sh", code=1, folder=stack.local_folder)


@local_only(SAME)
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"MINIO_SECRET_ACCESS_KEY": "another-secret"}, "rejected the key in MINIO_ACCESS_KEY"),
        ({"MLFLOW_BUCKET_NAME": "no-such-bucket"}, "MLFLOW_BUCKET_NAME"),
        ({"MINIO_HOST": "no.such.host.invalid"}, "MINIO_HOST does not resolve: no.such.host"),
        ({"MINIO_STORAGE_USE_HTTPS": "true"}, "https://"),
        ({"MINIO_PORT": "1"}, ":1 cannot be reached"),
    ],
    ids=["wrong secret", "missing bucket", "unknown host", "no TLS there", "refused port"],
)
def test_a_problem_with_an_s3_server_must_be_reported(
    changed: dict[str, str], sentence: str, with_external_bucket: RunningStack
) -> None:
    with with_external_bucket.changed(**changed):
        bucket_job(with_external_bucket).shows("bucket-init: ", sentence)


@docker_only("rclone has neither regions nor permissions")
@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, ("is in us-east-1, not in eu-central-1",)),
        (
            {"MLFLOW_BUCKET_NAME": "of-others"},
            ("does not allow the key in MINIO_ACCESS_KEY", "the bucket of-others"),
        ),
    ],
    ids=["another region", "forbidden"],
)
def test_a_refusal_that_only_large_s3_servers_know_must_be_reported(
    changed: dict[str, str], sentences: tuple[str, ...], with_external_bucket: RunningStack
) -> None:
    with with_external_bucket.changed(**changed):
        # Nothing was ever stored, so the former bucket need not be checked.
        output = with_external_bucket.up("--start-empty", code=1)
    output.shows("error: bucket-init ended with exit code 1", *sentences)
