"""What is wrong with a store is named, and nothing is started that would need it."""

import secrets
from collections.abc import Mapping

import pytest

from .conftest import MakeStack
from .local_stack import LocalStack
from .outside import database, objects
from .running import RunningStack, docker_only, local_only
from .small import SMALLEST
from .tool import Said, run
from .waiting import free_ports

SAME = "the same code asks the same servers on both engines, and this one starts sooner"


@pytest.fixture(scope="module")
def on_their_database(_make_for_module: MakeStack, outside: RunningStack) -> RunningStack:
    """Return a stack for a database of somebody else's, which nothing was started of."""
    return _make_for_module(**database(outside), ARTIFACT_STORE="local")


@pytest.fixture(scope="module")
def on_their_bucket(_make_for_module: MakeStack, outside: RunningStack) -> RunningStack:
    """Return a stack for a bucket of somebody else's, whose server was never started."""
    return _make_for_module(**objects(outside), BACKEND_STORE="sqlite")


@local_only("the file is a volume's, and the same code looks into it")
def test_a_file_that_is_no_database_must_be_named(make_stack: MakeStack) -> None:
    stack = make_stack(**SMALLEST)
    file = stack.folder / "local/data/mlflow_data/mlflow.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(secrets.token_bytes(4096))
    stack.up(code=1).shows("error: the SQLite file cannot be used", "not a database")


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
def test_what_is_wrong_with_a_database_must_be_named_before_anything_starts(
    problem: str, on_their_database: RunningStack
) -> None:
    changed, sentence = WRONG[problem]
    with on_their_database.changed(**changed):
        on_their_database.up(code=1).shows(f"error: {sentence}", "hint: ")
    assert on_their_database.starts() == {}


@local_only(SAME)
def test_a_database_port_where_nobody_answers_must_be_named(
    on_their_database: RunningStack,
) -> None:
    (port,) = free_ports(1)
    with on_their_database.changed(PG_PORT=str(port)):
        on_their_database.up(code=1).shows("PG_HOST and PG_PORT does not answer", "hint: ")


@local_only(SAME)
def test_a_user_who_may_make_no_tables_must_be_named(
    outside: RunningStack, on_their_database: RunningStack
) -> None:
    user = f"reader_{secrets.token_hex(4)}"
    outside.sql(f"CREATE ROLE {user} LOGIN PASSWORD 'reading only'")
    with on_their_database.changed(PG_USER=user, PG_PASSWORD="reading only"):
        on_their_database.up(code=1).shows("PG_USER may not create tables", "GRANT CREATE")


@local_only(SAME)
def test_a_key_that_an_s3_server_refuses_must_keep_mlflow_from_starting(
    on_their_bucket: RunningStack,
) -> None:
    with on_their_bucket.changed(MINIO_ACCESS_KEY="another-key-id"):
        output = on_their_bucket.up(code=1)
    output.shows(
        "error: bucket-init ended with exit code 1", "rejected the key in MINIO_ACCESS_KEY"
    )
    assert on_their_bucket.health("mlflow") != "healthy"


def bucket_job(stack: RunningStack) -> Said:
    """Run the bucket's job alone, as supervisord does for `up`, which shows what it says."""
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
def test_what_is_wrong_with_an_s3_server_must_be_named(
    changed: dict[str, str], sentence: str, on_their_bucket: RunningStack
) -> None:
    with on_their_bucket.changed(**changed):
        bucket_job(on_their_bucket).shows("bucket-init: ", sentence)


@docker_only("rclone has neither regions nor rights")
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
def test_what_only_large_s3_servers_refuse_must_be_named(
    changed: dict[str, str], sentences: tuple[str, ...], on_their_bucket: RunningStack
) -> None:
    with on_their_bucket.changed(**changed):
        # Where nothing was ever stored, there is nothing to look for in the former bucket.
        output = on_their_bucket.up("--start-empty", code=1)
    output.shows("error: bucket-init ended with exit code 1", *sentences)
