"""Older data and newer servers: `upgrade` changes both, or nothing at all."""

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
import requests

from mlflow_compose.settings import declared

from .conftest import MakeStack
from .docker_stack import DockerStack
from .images import known_images
from .moves import moving
from .running import Run, RunningStack, docker_only, left_to_soak, local_only
from .small import SMALLEST, kept

pytestmark = pytest.mark.soak

OLDER = "3.10.1"
NEWER = str(dict(declared())["MLFLOW_VERSION"].default)
# A table that MLflow has had since a version between the two.
ADDED = "scheduler_leases"
POSTGRES_16 = known_images().get("CI_POSTGRES_16_IMAGE", "postgres:16")
POSTGRES_18 = known_images().get("POSTGRES_IMAGE", "postgres:18.4")
# What an upgrade prints when a step begins.
STEPS = ("Stopping", "Reading", "Copying", "Starting", "Loading", "Upgrading", "Proving")


def version(stack: RunningStack) -> str:
    """Return the version that the server reports."""
    return requests.get(f"{stack.url}/version", timeout=10).text


def logged(stack: RunningStack, run: Run) -> bool:
    """Tell whether a run has its metric and its artifact."""
    data = stack.api.get("runs/get", run_id=run.id)["run"]["data"]
    is_complete = [metric["value"] for metric in data["metrics"]] == [run.loss]
    return is_complete and stack.api.artifact("GET", run.key).content == run.artifact


@contextmanager
def in_the_way(stack: RunningStack) -> Iterator[None]:
    """Add a table to the database that the new MLflow has to create itself."""
    file = stack.folder / "local" / "data" / "mlflow_data" / "mlflow.db"
    with closing(sqlite3.connect(file)) as opened:
        opened.execute(f"CREATE TABLE {ADDED} AS SELECT 'by its owner' AS kept")
        opened.commit()
    yield
    with closing(sqlite3.connect(file)) as opened:
        found = opened.execute(f"SELECT kept FROM {ADDED}")  # noqa: S608 - a constant
        assert found.fetchall() == [("by its owner",)]
        opened.execute(f"DROP TABLE {ADDED}")


def journal(stack: RunningStack) -> Path:
    """Return the file that says how to undo an interrupted upgrade."""
    return stack.folder / ".mlflow-compose" / "upgrading.json"


@left_to_soak("another PostgreSQL takes the same steps")
@local_only("the image of another MLflow takes minutes to build")
def test_an_older_mlflow_must_be_upgraded_with_its_data_or_stay_as_it_was(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(**SMALLEST, MLFLOW_VERSION=OLDER)
    stack.up()
    run, before = stack.log_run(), kept(stack)
    env = stack.env_file.read_text(encoding="utf-8")

    with stack.changed(MLFLOW_VERSION=NEWER):
        stack.up(code=1).shows(f"is of MLflow {OLDER}", "mlflow-compose upgrade")
    stack.tool("upgrade", "--to", "3.999.0", code=1).shows("could not be installed")
    with in_the_way(stack):
        stack.tool("upgrade", code=1).shows(ADDED, "everything is as it was before")
    assert kept(stack) == before
    assert stack.env_file.read_text(encoding="utf-8") == env
    assert version(stack) == OLDER

    data = stack.tool("upgrade", "--json").data
    assert (data["before"], data["after"]) == ({"MLFLOW_VERSION": OLDER}, {"MLFLOW_VERSION": NEWER})
    assert version(stack) == NEWER == stack.settings["MLFLOW_VERSION"]
    after = kept(stack)
    assert (after.runs, after.files) == (before.runs, before.files)
    assert logged(stack, run)
    assert stack.tool("upgrade", "--json").data["saved"] is None
    stack.tool("upgrade", "--to", OLDER, code=2).shows("cannot be downgraded")


@docker_only("the local engine has one PostgreSQL version")
def test_postgres_of_another_major_must_be_upgraded_by_dump_and_restore(
    make_stack: MakeStack,
) -> None:
    # Without an S3 server, which would only be stopped and started.
    stack = make_stack(POSTGRES_IMAGE=POSTGRES_16, ARTIFACT_STORE="local")
    assert isinstance(stack, DockerStack)
    stack.up()
    run, rows = stack.log_run(), stack.rows()
    with stack.changed(POSTGRES_IMAGE=POSTGRES_18):
        stack.up(code=1).shows("is of PostgreSQL 16", "mlflow-compose upgrade")
    stack.tool("upgrade", "--postgres", POSTGRES_18)
    assert stack.sql("SHOW server_version")[0].startswith("18.")
    assert stack.settings["POSTGRES_IMAGE"] == POSTGRES_18
    assert stack.rows() == rows
    assert logged(stack, run)
    # Without the old data.
    assert "pgdata-old" not in stack.execute("postgres", "ls", "/var/lib/postgresql").split()


@left_to_soak("it takes minutes")
@pytest.mark.parametrize("stores", [SMALLEST, {}], ids=["smallest", "default"])
def test_an_older_stack_of_any_kind_must_be_upgraded(
    make_stack: MakeStack, engine: str, stores: dict[str, str]
) -> None:
    """Both servers at once, if PostgreSQL comes as an image."""
    is_image = not stores and engine == "docker"
    older = {"POSTGRES_IMAGE": POSTGRES_16} if is_image else {}
    stack = make_stack(**stores, **older, MLFLOW_VERSION=OLDER)
    stack.up()
    run = stack.log_run()
    stack.tool("upgrade", *(("--postgres", POSTGRES_18) if is_image else ()))
    assert version(stack) == NEWER
    assert logged(stack, run)
    stack.verify()


@left_to_soak("it takes minutes")
@pytest.mark.parametrize("seed", range(10))
def test_a_killed_upgrade_must_leave_the_old_state_or_the_new_one(
    make_stack: MakeStack, engine: str, seed: int
) -> None:
    random, is_docker = Random(seed), engine == "docker"  # noqa: S311 - no secret
    older = {"POSTGRES_IMAGE": POSTGRES_16} if is_docker else {**SMALLEST, "MLFLOW_VERSION": OLDER}
    options = ("--postgres", POSTGRES_18) if is_docker else ()
    stack = make_stack(**older)
    stack.up()
    run, env = stack.log_run(), stack.env_file.read_text(encoding="utf-8")
    skipped = "Upgrading" if is_docker else "Loading"
    step = random.choice([step for step in STEPS if step != skipped])
    with moving(stack, "upgrade", *options, until=step) as process:
        process.send_signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0, 5))
        process.kill()
    stack.up()
    is_old = stack.env_file.read_text(encoding="utf-8") == env
    if is_docker:
        assert stack.sql("SHOW server_version")[0].startswith("16." if is_old else "18.")
    else:
        assert version(stack) == (OLDER if is_old else NEWER)
    assert logged(stack, run)
    assert not journal(stack).exists()
    stack.tool("upgrade", *options)
    assert logged(stack, run)
