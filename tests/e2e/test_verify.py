"""`verify` names the first broken link with its cause; each one is broken for real."""

import json
import secrets

import pytest

from mlflow_compose.checks.inside import MODULES
from mlflow_compose.engines.sending import LOADER, sources
from mlflow_compose.stack.stores import POSTGRES_URI

from .docker_stack import DockerStack
from .running import RunningStack, docker_only
from .security import administration

ONE_KEY = "rclone has one key, which nobody can take away while it runs"


def test_a_stopped_database_must_be_named(mended: RunningStack) -> None:
    mended.stop("postgres")
    expect_broken(mended, "PostgreSQL cannot be reached", hint="mlflow-compose up")


def test_a_database_with_another_password_must_be_named(mended: RunningStack) -> None:
    password = mended.settings["PG_PASSWORD"]
    mended.sql("ALTER ROLE mlflow PASSWORD 'another one'")
    mended.changed_password = "another one"
    # Connections that MLflow has open stay open.
    mended.restart("mlflow")
    expect_broken(mended, "PostgreSQL refuses PG_PASSWORD", hint="PG_PASSWORD")
    mended.sql(f"ALTER ROLE mlflow PASSWORD '{password}'")
    mended.changed_password = ""


def test_a_deleted_bucket_must_be_named(mended: RunningStack) -> None:
    s3 = mended.s3(mended.root_key)
    for key in mended.objects():
        s3.delete_object(Bucket=mended.bucket, Key=key)
    s3.delete_bucket(Bucket=mended.bucket)
    expect_broken(mended, "bucket (MLFLOW_BUCKET_NAME) is missing", hint="mlflow-compose up")


@docker_only(ONE_KEY)
def test_a_deleted_application_key_must_be_named(mended: RunningStack) -> None:
    administration(mended, mended.root_key).user_remove(mended.app_key[0])
    expect_broken(mended, "S3 refuses the application's key", hint="mlflow-compose up")


@docker_only(ONE_KEY)
def test_an_application_key_with_another_secret_must_be_named(mended: RunningStack) -> None:
    administration(mended, mended.root_key).user_add(mended.app_key[0], secrets.token_hex(20))
    expect_broken(mended, "S3 refuses the application's key", hint="mlflow-compose up")


def test_a_stopped_s3_must_be_named(mended: RunningStack) -> None:
    mended.stop("s3")
    expect_broken(mended, "S3 cannot be reached", hint="mlflow-compose up")


def test_a_stack_that_is_down_must_be_named(mended: RunningStack) -> None:
    mended.tool("down")
    expect_broken(mended, "the stack is not running", hint="mlflow-compose up")


def test_a_stopped_mlflow_must_be_named(mended: RunningStack) -> None:
    mended.stop("mlflow")
    expect_broken(mended, "MLflow", hint="mlflow-compose")


@docker_only("it takes a change to a container")
@pytest.mark.parametrize(
    "allowed", ["mlflow,mlflow:*", "127.0.0.1,127.0.0.1:*"], ids=["on this machine", "inside"]
)
def test_a_refused_host_header_must_be_named(mended: DockerStack, allowed: str) -> None:
    command = mended.containers()["mlflow"]["Config"]["Cmd"]
    changed = [
        f"--allowed-hosts={allowed}" if word.startswith("--allowed-hosts") else word
        for word in command
    ]
    mended.override(f"services: {{mlflow: {{command: {changed}}}}}")
    mended.up()
    expect_broken(mended, "MLflow refuses the Host header", hint="MLFLOW_ALLOWED_HOSTS")


@docker_only("it takes a change to a container")
def test_a_port_that_is_not_published_must_be_named(mended: DockerStack) -> None:
    mended.override("services: {mlflow: {ports: !reset []}}")
    mended.up()
    expect_broken(mended, "its port is not published", hint="mlflow-compose up")


def test_files_that_are_gone_must_be_no_traceback(mended: RunningStack) -> None:
    """As after `rm -r local` under a running stack."""
    folder = mended.folder / ("compose" if mended.engine == "docker" else "local")
    away = folder.rename(mended.folder / "away")
    try:
        (error,) = mended.tool("verify", "--json", code=1).envelope["errors"]
        assert "mlflow-compose" in error["hint"]
        mended.tool("status")
        mended.tool("logs", code=None)
    finally:
        away.rename(folder)


def expect_broken(stack: RunningStack, cause: str, *, hint: str) -> None:
    """Make sure that `verify` fails with a cause and a way out, in words and as JSON."""
    said = stack.tool("verify", "--json", code=1)
    (error,) = said.envelope["errors"]
    assert cause in error["message"]
    assert hint in error["hint"]
    *fine, broken = said.data["steps"]
    assert all(step["ok"] for step in fine)
    assert not broken["ok"]


def test_the_clean_up_must_go_by_the_name_that_the_proof_drew(shared: RunningStack) -> None:
    """A number may come from another server, and be that of somebody's experiment here."""
    run = shared.log_run()
    request = {
        "only": ["clean up"],
        "backend": POSTGRES_URI,
        "folder": "",
        "bucket": shared.bucket,
        "experiment_id": run.experiment_id,
        "run_id": run.id,
        "name": "mlflow-compose-verify-of-another-server",
        "objects": {run.key: len(run.artifact)},
    }
    script = ("python", "-c", LOADER, sources(MODULES), json.dumps(request))
    found = json.loads(shared.execute("mlflow", *script))
    assert found["clean up"]["cause"] == ""
    shared.expect(run)
