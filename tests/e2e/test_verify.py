"""`verify` names the first broken link with its cause; each one is broken for real."""

import json
import secrets

from mlflow_compose.checks.inside import MODULES
from mlflow_compose.engines.remote import LOADER, sent
from mlflow_compose.stack.stores import POSTGRES_URI

from .docker_stack import DockerStack
from .running import RunningStack, docker_only
from .security import administration

# Connections that are open would stay open.
CHANGE_PASSWORD = """
ALTER ROLE mlflow PASSWORD '{}';
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = 'mlflow' AND pid <> pg_backend_pid();
"""
# Hosts that MLflow allows where it refuses clients: on this machine, and inside of the network.
REFUSING = ("mlflow,mlflow:*", "127.0.0.1,127.0.0.1:*")


def test_a_stopped_server_must_be_named(mended: RunningStack) -> None:
    for service, cause in (("postgres", "PostgreSQL"), ("s3", "S3")):
        mended.stop(service)
        expect_broken(mended, f"{cause} cannot be reached", hint="mlflow-compose up")
        mended.restart(service)
        mended.wait_until_healthy(service)
    mended.is_well = True


def test_a_database_with_another_password_must_be_named(mended: RunningStack) -> None:
    password = mended.settings["PG_PASSWORD"]
    mended.sql(CHANGE_PASSWORD.format("another one"))
    mended.changed_password = "another one"
    expect_broken(mended, "PostgreSQL refuses PG_PASSWORD", hint="PG_PASSWORD")
    mended.sql(CHANGE_PASSWORD.format(password))
    mended.changed_password = ""
    mended.is_well = True


def test_a_deleted_bucket_must_be_named(mended: RunningStack) -> None:
    s3 = mended.s3(mended.root_key)
    for key in mended.objects():
        s3.delete_object(Bucket=mended.bucket, Key=key)
    s3.delete_bucket(Bucket=mended.bucket)
    expect_broken(mended, "bucket (MLFLOW_BUCKET_NAME) does not exist", hint="mlflow-compose up")
    s3.create_bucket(Bucket=mended.bucket)
    mended.is_well = True


@docker_only("rclone has one key, which nobody can take away while it runs")
def test_an_application_key_with_another_secret_or_none_at_all_must_be_named(
    mended: RunningStack,
) -> None:
    root, key = administration(mended, mended.root_key), mended.app_key[0]
    root.user_add(key, secrets.token_hex(20))
    expect_broken(mended, "S3 refuses the application's key", hint="mlflow-compose up")
    root.user_remove(key)
    expect_broken(mended, "S3 refuses the application's key", hint="mlflow-compose up")
    mended.up()
    mended.expect(mended.log_run())
    mended.is_well = True


def test_files_that_are_gone_must_be_no_traceback(mended: RunningStack) -> None:
    """As after `rm -r local` under a running stack."""
    folder = mended.folder / ("compose" if mended.engine == "docker" else "local")
    away = folder.rename(mended.folder / "away")
    try:
        (error,) = mended.tool("verify", "--json", code=1).envelope["errors"]
        assert "mlflow-compose" in error["hint"]
        mended.tool("status")
        # Not of the servers: what others break before makes tracebacks of their own.
        mended.tool("logs", "bucket-init", code=None)
    finally:
        away.rename(folder)
    mended.is_well = True


def test_an_mlflow_that_no_client_reaches_must_be_named(mended: RunningStack) -> None:
    mended.stop("mlflow")
    expect_broken(mended, "MLflow", hint="mlflow-compose")
    if isinstance(mended, DockerStack):
        command = mended.containers()["mlflow"]["Config"]["Cmd"]
        for allowed in REFUSING:
            change_mlflow(mended, f"command: {only(command, allowed)}")
            expect_broken(mended, "MLflow refuses the Host header", hint="MLFLOW_ALLOWED_HOSTS")
        change_mlflow(mended, "ports: !reset []")
        expect_broken(mended, "its port is not published", hint="mlflow-compose up")


def only(command: list[str], allowed: str) -> list[str]:
    """Return the command of MLflow, with other hosts that it allows."""
    option = "--allowed-hosts"
    return [f"{option}={allowed}" if word.startswith(option) else word for word in command]


def change_mlflow(stack: DockerStack, change: str) -> None:
    """Start MLflow anew with a change that only Compose's override file can make."""
    stack.override(f"services: {{mlflow: {{{change}}}}}")
    stack.compose("up", "--detach", "--wait", "--no-deps", "mlflow")


def expect_broken(stack: RunningStack, cause: str, *, hint: str) -> None:
    """Make sure that `verify` fails with a cause and a way out, in words and as JSON."""
    output = stack.tool("verify", "--json", code=1)
    (error,) = output.envelope["errors"]
    assert cause in error["message"]
    assert hint in error["hint"]
    *fine, broken = output.data["steps"]
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
    given = sent(MODULES, request).decode()
    found = json.loads(shared.execute("mlflow", "python", "-c", LOADER, given=given))
    assert found["done"]["clean up"]["cause"] == ""
    shared.expect(run)
