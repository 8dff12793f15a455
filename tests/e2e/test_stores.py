"""Each pair of stores that makes sense comes up, is proven, and keeps what it was told."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from .conftest import MakeStack
from .outside import database, objects
from .running import RunningStack, docker_only, local_only
from .waiting import free_ports


class Pair(NamedTuple):
    """Where runs and artifacts are, and which services there are then.

    Attributes:
        services: In the order in which they start.
        settings: That choose it.
        database: Whether the database is somebody else's.
        objects: Whether the S3 server is.
    """

    services: list[str]
    settings: Mapping[str, str] = {}
    database: bool = False
    objects: bool = False


FILE, FOLDER = {"BACKEND_STORE": "sqlite"}, {"ARTIFACT_STORE": "local"}
# PostgreSQL and a bucket, both the stack's own, are in every other scenario.
PAIRS: Mapping[str, Pair] = {
    "a file and a folder": Pair(["mlflow"], {**FILE, **FOLDER}),
    "a file and a bucket": Pair(["s3", "bucket-init", "mlflow"], FILE),
    "a file and somebody's bucket": Pair(["bucket-init", "mlflow"], FILE, objects=True),
    "PostgreSQL and a folder": Pair(["postgres", "mlflow"], FOLDER),
    "PostgreSQL and somebody's bucket": Pair(["postgres", "bucket-init", "mlflow"], objects=True),
    "somebody's PostgreSQL and a folder": Pair(["mlflow"], FOLDER, database=True),
    "somebody's PostgreSQL and a bucket": Pair(["s3", "bucket-init", "mlflow"], database=True),
    "somebody's PostgreSQL and bucket": Pair(
        ["bucket-init", "mlflow"], database=True, objects=True
    ),
}
SAME = "the same code asks the same servers on both engines, and this one starts sooner"


@pytest.mark.parametrize("name", PAIRS)
def test_each_pair_of_stores_must_be_proven_and_used(
    name: str, outside: RunningStack, make_stack: MakeStack
) -> None:
    pair = PAIRS[name]
    theirs = database(outside) if pair.database else {}
    stack = make_stack(**pair.settings, **theirs, **(objects(outside) if pair.objects else {}))
    data = stack.tool("up", "--json").data
    assert [service["name"] for service in data["services"]] == pair.services
    assert all(step["ok"] for step in data["steps"])
    run = stack.log_run()
    found = stack.api.get("runs/get", run_id=run.id)["run"]
    assert found["data"]["metrics"][0]["value"] == run.loss
    assert stack.api.artifact("GET", run.key).content == run.artifact
    if pair.objects:
        assert run.key in outside.objects()
    if pair.database:
        rows = outside.sql(f"\\c {theirs['PG_DATABASE']}\nSELECT run_uuid FROM runs\n")
        assert rows[-1] == run.id
    own = {"postgres": "postgres_data", "s3": "minio_data"}
    kept = {own[service] for service in pair.services if service in own}
    assert stack.volumes() - {"mlflow_data"} == {*kept, "mlflow_tmp"}
    assert ("mlflow_data" in stack.volumes()) is bool(pair.settings)


def test_what_a_small_stack_keeps_must_survive_down_and_up(make_stack: MakeStack) -> None:
    stack = make_stack(**FILE, **FOLDER)
    stack.up()
    run = stack.log_run()
    stack.tool("down")
    stack.up()
    found = stack.api.get("runs/get", run_id=run.id)["run"]
    assert found["data"]["metrics"][0]["value"] == run.loss
    assert stack.api.artifact("GET", run.key).content == run.artifact


def test_login_must_work_with_a_file_too(make_stack: MakeStack) -> None:
    stack = make_stack(**FILE, **FOLDER, MLFLOW_AUTH="basic")
    stack.tool("up")
    assert stack.api.call("GET", "/version").status_code == 401


@local_only("the file is a volume's, and the same code looks into it")
def test_a_file_that_is_no_database_must_be_named(make_stack: MakeStack) -> None:
    stack = make_stack(**FILE, **FOLDER)
    file = stack.folder / "local/data/mlflow_data/mlflow.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(secrets.token_bytes(4096))
    stack.up(code=1).shows("error: the file of the database cannot be used", "not a database")


WRONG: Mapping[str, tuple[dict[str, str], str]] = {
    "wrong password": ({"PG_PASSWORD": "another"}, "the database refuses PG_USER with PG_PASSWORD"),
    "wrong database": (
        {"PG_DATABASE": "nowhere"},
        "the database server has no PG_DATABASE or PG_USER",
    ),
    "unknown host": (
        {"PG_HOST": "no.such.host.invalid"},
        "there is no machine called as PG_HOST says",
    ),
    "no TLS there": ({"PG_SSLMODE": "require"}, "the database has no TLS"),
}


@local_only(SAME)
@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_with_a_database_must_be_named_before_anything_starts(
    problem: str, outside: RunningStack, make_stack: MakeStack
) -> None:
    changed, sentence = WRONG[problem]
    stack = make_stack(**{**database(outside), **changed}, ARTIFACT_STORE="local")
    said = stack.up(code=1)
    said.shows(f"error: {sentence}", "hint: ")
    assert stack.starts() == {}


@local_only(SAME)
def test_a_database_port_where_nobody_answers_must_be_named(
    outside: RunningStack, make_stack: MakeStack
) -> None:
    (port,) = free_ports(1)
    stack = make_stack(**{**database(outside), "PG_PORT": str(port)}, ARTIFACT_STORE="local")
    stack.up(code=1).shows("PG_HOST and PG_PORT does not answer", "hint: ")


@local_only(SAME)
def test_a_user_who_may_make_no_tables_must_be_named(
    outside: RunningStack, make_stack: MakeStack
) -> None:
    theirs, user = database(outside), f"reader_{secrets.token_hex(4)}"
    outside.sql(f"CREATE ROLE {user} LOGIN PASSWORD 'reading only'")
    stack = make_stack(
        **{**theirs, "PG_USER": user, "PG_PASSWORD": "reading only"}, ARTIFACT_STORE="local"
    )
    stack.up(code=1).shows("PG_USER may not make tables", "GRANT CREATE")


@local_only(SAME)
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"MINIO_ACCESS_KEY": "another-key-id"}, "refused the key of MINIO_ACCESS_KEY"),
        ({"MINIO_SECRET_ACCESS_KEY": "another-secret"}, "refused the key of MINIO_ACCESS_KEY"),
        ({"MLFLOW_BUCKET_NAME": "no-such-bucket"}, "MLFLOW_BUCKET_NAME"),
        ({"MINIO_HOST": "no.such.host.invalid"}, "no machine called no.such.host.invalid"),
        ({"MINIO_STORAGE_USE_HTTPS": "true"}, "https://"),
        ({"MINIO_PORT": "1"}, ":1 cannot be reached"),
    ],
    ids=[
        "wrong key",
        "wrong secret",
        "missing bucket",
        "unknown host",
        "no TLS there",
        "refused port",
    ],
)
def test_what_is_wrong_with_an_s3_server_must_be_named(
    changed: dict[str, str], sentence: str, outside: RunningStack, make_stack: MakeStack
) -> None:
    stack = make_stack(BACKEND_STORE="sqlite", **{**objects(outside), **changed})
    said = stack.up(code=1)
    said.shows("error: bucket-init ended with exit code 1", sentence)
    assert stack.health("mlflow") != "healthy"


@docker_only("rclone has neither regions nor rights")
@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, ("is in us-east-1, not in eu-central-1",)),
        (
            {"MLFLOW_BUCKET_NAME": "of-others"},
            ("does not allow the key of MINIO_ACCESS_KEY", "the bucket of-others"),
        ),
    ],
    ids=["another region", "forbidden"],
)
def test_what_only_large_s3_servers_refuse_must_be_named(
    changed: dict[str, str],
    sentences: tuple[str, ...],
    outside: RunningStack,
    make_stack: MakeStack,
) -> None:
    stack = make_stack(BACKEND_STORE="sqlite", **{**objects(outside), **changed})
    stack.up(code=1).shows("error: bucket-init ended with exit code 1", *sentences)


def test_a_bucket_must_be_made_where_that_is_allowed(
    outside: RunningStack, make_stack: MakeStack
) -> None:
    root, secret = outside.root_key
    stack = make_stack(
        BACKEND_STORE="sqlite",
        **{**objects(outside), "MINIO_ACCESS_KEY": root, "MINIO_SECRET_ACCESS_KEY": secret},
        MLFLOW_BUCKET_NAME="made-on-demand",
        MLFLOW_BUCKET_CREATE="true",
    )
    stack.tool("up")
    run = stack.log_run()
    client = outside.s3(outside.root_key)
    found = client.list_objects_v2(Bucket="made-on-demand")["Contents"]
    assert [file["Key"] for file in found] == [run.key]
