"""`verify` names the first broken link with its cause; each one is broken for real."""

import json

import pytest

from mlflow_compose.checks.inside import MODULES
from mlflow_compose.engines.remote import LOADER, sent
from mlflow_compose.stack.stores import POSTGRES_URI

from .docker_stack import DockerStack
from .running import RunningStack, docker_only, left_to_soak
from .security import administration
from .tool import Output

# Existing connections would stay open.
CHANGE_PASSWORD = """
ALTER ROLE mlflow PASSWORD '{}';
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = 'mlflow' AND pid <> pg_backend_pid();
"""
# The tutorial, which test_docs.py follows without Docker, stops the database there.
SAME_CHECKS = docker_only("the same checks run inside both engines; test_docs breaks the other one")
# --allowed-hosts values with which MLflow refuses clients on this machine or inside the network.
REFUSING = ("mlflow,mlflow:*", "127.0.0.1,127.0.0.1:*")
# Without Docker, the port is the server's own, so nothing answers from inside either.
NO_ANSWER = {"docker": "its port is not published", "local": "MLflow does not answer"}


@pytest.fixture(scope="module")
def _reused(composed: DockerStack) -> DockerStack:
    return composed


@SAME_CHECKS
def test_a_stopped_server_must_be_reported(mended: RunningStack) -> None:
    for service, cause in (("postgres", "PostgreSQL"), ("s3", "S3")):
        mended.stop(service)
        expect_broken(mended, f"{cause} cannot be reached", hint="mlflow-compose up")
        mended.restart(service)
        mended.wait_until_healthy(service)
    mended.is_well = True


@SAME_CHECKS
def test_a_changed_database_password_must_be_reported(mended: RunningStack) -> None:
    password = mended.settings["PG_PASSWORD"]
    mended.sql(CHANGE_PASSWORD.format("another one"))
    mended.changed_password = "another one"
    expect_broken(mended, "PostgreSQL refuses PG_PASSWORD", hint="PG_PASSWORD")
    mended.sql(CHANGE_PASSWORD.format(password))
    mended.changed_password = ""
    mended.is_well = True


@SAME_CHECKS
def test_a_deleted_bucket_must_be_reported(mended: RunningStack) -> None:
    s3 = mended.s3(mended.root_key)
    for key in mended.objects():
        s3.delete_object(Bucket=mended.bucket, Key=key)
    s3.delete_bucket(Bucket=mended.bucket)
    expect_broken(mended, "bucket (MLFLOW_BUCKET_NAME) does not exist", hint="mlflow-compose up")
    s3.create_bucket(Bucket=mended.bucket)
    mended.is_well = True


@docker_only("rclone has one key, which cannot be revoked while it runs")
def test_a_deleted_application_key_must_be_reported(mended: RunningStack) -> None:
    """One with another secret is reported in test_security_markers, where no secret may show."""
    administration(mended, mended.root_key).user_remove(mended.app_key[0])
    expect_broken(mended, "S3 refuses the application's key", hint="mlflow-compose up")
    mended.up()
    mended.expect(mended.log_run())
    mended.is_well = True


def test_missing_rendered_files_must_not_cause_a_traceback(shared: RunningStack) -> None:
    """As after `rm -r local` under a running stack."""
    folder = shared.folder / ("compose" if shared.engine == "docker" else "local")
    away = folder.rename(shared.folder / "away")
    try:
        (error,) = shared.tool("verify", "--json", code=1).envelope["errors"]
        assert "mlflow-compose" in error["hint"]
        shared.tool("status")
        # Only the job's log: the servers' logs may have tracebacks from what earlier tests broke.
        shared.tool("logs", "bucket-init", code=None)
    finally:
        away.rename(folder)


@left_to_soak("other servers are stopped")
@docker_only("without Docker, the next test proves it; the answers to a Host header are MLflow's")
def test_a_stopped_or_refusing_mlflow_must_be_reported(mended: DockerStack) -> None:
    mended.stop("mlflow")
    expect_broken(mended, "MLflow", hint="mlflow-compose")
    command = mended.containers()["mlflow"]["Config"]["Cmd"]
    for allowed in REFUSING:
        change_mlflow(mended, f"command: {with_allowed_hosts(command, allowed)}")
        expect_broken(mended, "MLflow refuses the Host header", hint="MLFLOW_ALLOWED_HOSTS")


def test_an_unreachable_mlflow_must_be_reported(shared: RunningStack, free_port: int) -> None:
    """It runs, but not on the port in `.env`: `up`, which would apply it, has not been run yet."""
    with shared.changed(MLFLOW_PORT=str(free_port)):
        expect_broken(shared, NO_ANSWER[shared.engine], hint="mlflow-compose")


def with_allowed_hosts(command: list[str], allowed: str) -> list[str]:
    """Return MLflow's command with other allowed hosts."""
    option = "--allowed-hosts"
    return [f"{option}={allowed}" if word.startswith(option) else word for word in command]


def change_mlflow(stack: DockerStack, change: str) -> None:
    """Recreate MLflow with a change in Compose's override file."""
    stack.override(f"services: {{mlflow: {{{change}}}}}")
    stack.compose("up", "--detach", "--wait", "--no-deps", "mlflow")


def expect_broken(stack: RunningStack, cause: str, *, hint: str) -> Output:
    """Assert that `verify` fails, with a cause and a hint in its JSON output."""
    output = stack.tool("verify", "--json", code=1)
    (error,) = output.envelope["errors"]
    assert cause in error["message"]
    assert hint in error["hint"]
    *fine, broken = output.data["steps"]
    assert all(step["ok"] for step in fine)
    assert not broken["ok"]
    return output


def test_the_clean_up_must_only_delete_an_experiment_with_the_generated_name(
    shared: RunningStack,
) -> None:
    """An id may come from another server and belong to a user's experiment here."""
    run = shared.log_run()
    request = {
        "only": ["clean up"],
        "backend": POSTGRES_URI,
        "folder": "",
        "bucket": shared.bucket,
        "prefix": "",
        "experiment_id": run.experiment_id,
        "run_id": run.id,
        "name": "mlflow-compose-verify-of-another-server",
        "objects": {run.key: len(run.artifact)},
    }
    given = sent(MODULES, request).decode()
    found = json.loads(shared.execute("mlflow", "python", "-c", LOADER, given=given))
    assert found["done"]["clean up"]["cause"] == ""
    shared.expect(run)
