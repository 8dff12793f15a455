"""Migrations: the changed settings, the services that run meanwhile, and refusals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose import actions
from mlflow_compose.actions import MigrationPlan, Plan, load_plan, plan_migration, read_settings
from mlflow_compose.actions.migration_plan import refuse
from mlflow_compose.data.migration import changes
from mlflow_compose.engines import Engine
from mlflow_compose.errors import (
    EngineError,
    EnvFileError,
    SettingsError,
    StoreError,
    UsageError,
)
from mlflow_compose.render import render
from mlflow_compose.stack import Stack
from mlflow_compose.stack.migration import intermediate, objects_url
from mlflow_compose.targets import COMPOSE, LOCAL
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.samples import env_text, local_stack, settings, stack

HTTPS_443 = {"MINIO_HOST": "objects.lab", "MINIO_PORT": "443", "MINIO_STORAGE_USE_HTTPS": "true"}
TARGETS: Mapping[str, Mapping[str, str]] = {
    "s3=https://objects.lab": HTTPS_443,
    "s3=https://objects.lab:443/": HTTPS_443,
    "s3=http://10.0.0.1:9000": {
        "MINIO_HOST": "10.0.0.1",
        "MINIO_PORT": "9000",
        "MINIO_STORAGE_USE_HTTPS": "false",
    },
    "s3=aws": {"MINIO_HOST": "aws"},
    "postgres=postgres": {"BACKEND_STORE": "postgres", "PG_HOST": "postgres"},
    "postgres=db.lab": {"BACKEND_STORE": "postgres", "PG_HOST": "db.lab"},
    "postgres=db.lab:5433": {"PG_HOST": "db.lab", "PG_PORT": "5433"},
    "postgres=[fd00::1]:5433": {"PG_HOST": "fd00::1", "PG_PORT": "5433"},
}


@pytest.mark.parametrize("to", TARGETS)
def test_a_target_must_be_translated_to_settings(to: str) -> None:
    assert changes(to, settings()).items() >= TARGETS[to].items()


@pytest.mark.parametrize(
    "to",
    [
        "",
        "minio",
        "provider=",
        "bucket=other",
        "s3=objects.lab",
        "s3=ftp://objects.lab",
        "s3=https://objects.lab/bucket",
        "s3=https://key:secret@objects.lab",
        "s3=https://objects.lab:port",
        "s3=https://[fd00::1",
        "postgres=postgres:5433",
        "postgres=postgresql://db.lab",
        "postgres=user@db.lab",
        "postgres=db.lab:0",
    ],
)
def test_an_invalid_target_must_be_refused(to: str) -> None:
    with pytest.raises(UsageError):
        changes(to, settings())


@pytest.mark.parametrize(
    "to",
    [
        "postgresql://mlflow:hunter2@db.lab/mlflow",
        "postgres=mlflow:hunter2@db.lab",
        "s3=https://key:hunter2@objects.lab",
    ],
)
def test_a_misplaced_password_must_not_be_repeated(to: str) -> None:
    with pytest.raises(UsageError) as caught:
        changes(to, settings())
    assert "hunter2" not in caught.value.message
    assert "--settings" in str(caught.value.hint)


@given(st.text(max_size=30))
def test_any_target_must_become_settings_or_an_error(value: str) -> None:
    for kind in ("s3", "postgres"):
        try:
            found = changes(f"{kind}={value}", settings())
        except UsageError:
            continue
        assert found["MINIO_HOST" if kind == "s3" else "PG_HOST"]


# --- services during a migration

SMALL = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}

SQLITE = {"BACKEND_STORE": "sqlite"}
OUTSIDE = {"MINIO_HOST": "objects.lab"}
OUTSIDE_LINES = ("MINIO_HOST=objects.lab",)


def names(middle: Stack) -> list[str]:
    return [service.name for service in middle.services]


def test_both_stores_must_be_reachable_during_a_move_to_a_database() -> None:
    middle = intermediate(stack(**SQLITE), stack(), port=5)
    idle = middle.service("mlflow")
    assert names(middle) == ["postgres", "s3", "mlflow"]
    assert {"mlflow_data", "mlflow_tmp"} == {volume.source for volume in idle.volumes}
    assert "pg_service.conf" in {secret.name for secret in idle.secrets}
    assert idle.ports == ()
    assert not any("server" in word for word in idle.command)


def test_all_services_must_be_created_and_reachable_during_a_move_from_a_folder() -> None:
    middle = intermediate(stack(**SMALL), stack(), port=5)
    idle = middle.service("mlflow")
    assert names(middle) == ["postgres", "s3", "bucket-init", "mlflow"]
    assert {"mlflow_data", "mlflow_tmp"} == {volume.source for volume in idle.volumes}
    assert {"pg_service.conf", "s3_app_key"} <= {secret.name for secret in idle.secrets}


@pytest.mark.parametrize("provider", ["versitygw", "rclone", "seaweedfs", "rustfs"])
def test_both_servers_must_run_during_a_move_to_another_provider(provider: str) -> None:
    old, new = stack(), stack(S3_PROVIDER=provider)
    middle = intermediate(old, new, port=5)
    assert names(middle) == ["postgres", "s3", "s3-next", "bucket-init", "mlflow"]
    assert middle.service("s3") == old.service("s3")
    job = middle.service("bucket-init")
    assert job.environment["S3_ENDPOINT"] == "http://s3-next:9000"
    assert job.depends_on == {"s3-next": "service_started"}
    (port,) = middle.service("s3-next").ports
    assert objects_url(old, new, 5) == "http://127.0.0.1:5"
    assert port.text == "127.0.0.1:5:9000"
    assert {*old.volumes, *new.volumes} == {*middle.volumes}


def test_only_the_old_server_must_run_during_a_move_to_an_external_one() -> None:
    middle = intermediate(stack(), stack(**OUTSIDE), port=5)
    assert names(middle) == ["postgres", "s3", "mlflow"]
    assert middle.service("s3") == stack().service("s3")
    assert objects_url(stack(), stack(**OUTSIDE), 5) == "http://objects.lab:9000"


def test_the_new_server_must_be_created_during_a_move_from_an_external_one() -> None:
    middle = intermediate(stack(**OUTSIDE), stack(), port=5)
    assert names(middle) == ["postgres", "s3", "bucket-init", "mlflow"]
    assert objects_url(stack(**OUTSIDE), stack(), 5) == "http://127.0.0.1:9000"


def test_a_server_that_stays_must_keep_its_key() -> None:
    """Without Docker, the S3 server's only key is the application's, and the new key differs."""
    name = "rclone_auth_key"
    old = local_stack()
    new = local_stack(**OUTSIDE, MINIO_ACCESS_KEY="another", MINIO_SECRET_ACCESS_KEY="new-secret")
    texts = render(intermediate(old, new, port=5)).secrets
    assert texts[name].text == render(old).secrets[name].text


def test_two_servers_must_never_run_on_the_same_data() -> None:
    """With another image or memory limit it is still the same server."""
    old, new = stack(**SQLITE, MINIO_IMAGE="mirror/minio:1"), stack(MINIO_MEMORY="1g")
    middle = intermediate(old, new, port=5)
    assert names(middle) == ["postgres", "s3", "mlflow"]
    assert middle.service("s3") == old.service("s3")
    local = intermediate(local_stack(**SQLITE), local_stack(S3_PROVIDER="rclone"), port=5)
    assert names(local) == ["postgres", "s3", "mlflow"]


def test_both_stacks_secrets_must_be_masked() -> None:
    old, new = stack(**SQLITE, PG_PASSWORD="old-password"), stack(PG_PASSWORD="new-password")
    assert intermediate(old, new, port=5).mask("old-password new-password") == "******** ********"


# --- the command


def plan(folder: Path, *lines: str) -> Plan:
    (folder / ".env").write_text(env_text(*lines), encoding="utf-8")
    found, paths = read_settings(folder / ".env", {})
    target = LOCAL if found.settings.stack_engine == "local" else COMPOSE
    return load_plan(found, paths, {}, target)


def move(
    folder: Path, to: str, *lines: str, environ: Mapping[str, str] | None = None
) -> MigrationPlan:
    return plan_migration(plan(folder, *lines), [to], None, environ or {})


def test_only_new_settings_must_change_in_the_env_file(tmp_path: Path) -> None:
    found = move(tmp_path, "s3=http://objects.lab:9000", "# mine", "MINIO_HOST=s3")
    before = (tmp_path / ".env").read_text(encoding="utf-8")
    assert found.text == before.replace("MINIO_HOST=s3", "MINIO_HOST=objects.lab")


def test_settings_from_a_file_must_be_applied(tmp_path: Path) -> None:
    more = tmp_path / "new.env"
    more.write_text("MLFLOW_BUCKET_NAME=team\n", encoding="utf-8")
    found = plan_migration(plan(tmp_path), ["s3=http://objects.lab:9000"], more, {})
    assert found.new.stack.stores.bucket == "team"
    assert found.moves_objects
    assert not found.moves_runs


REFUSED_SETTINGS = {
    "a folder": ("postgres=postgres", "ARTIFACT_STORE=local", "not to a folder"),
    "another bucket there": (
        "postgres=postgres",
        "MLFLOW_BUCKET_NAME=team",
        "cannot change if the S3 server",
    ),
    "a line that is none": ("postgres=postgres", "MLFLOW_BUCKET_NAME: team", "colon"),
    "another folder": ("postgres=postgres", "MINIO_VOLUME_PATH=/srv/new", "one S3 server"),
}


@pytest.mark.parametrize("case", REFUSED_SETTINGS)
def test_settings_that_would_lose_data_must_be_refused(case: str, tmp_path: Path) -> None:
    to, line, message = REFUSED_SETTINGS[case]
    more = tmp_path / "new.env"
    more.write_text(f"{line}\n", encoding="utf-8")
    engine = "local" if case == "another folder" else "docker"
    old = plan(tmp_path, "BACKEND_STORE=sqlite", f"STACK_ENGINE={engine}")
    with pytest.raises((UsageError, EnvFileError), match=message):
        plan_migration(old, [to], more, {})


@pytest.mark.parametrize(
    "line",
    [
        "COMPOSE_PROJECT_NAME=other",
        "STACK_ENGINE=docker",
        "MLFLOW_PORT=5001",
        "MLFLOW_ARTIFACT_ACCESS=direct",
        "MLFLOW_HTTP_REQUEST_TIMEOUT=7",
    ],
)
def test_only_settings_of_stores_must_change_on_the_way(line: str, tmp_path: Path) -> None:
    """Under another name, the servers would run on new, empty volumes, and nothing be copied."""
    more = tmp_path / "new.env"
    more.write_text(f"MLFLOW_BUCKET_NAME=mlflow\nMINIO_IMAGE=mirror/gw:1\n{line}\n")
    name = line.partition("=")[0]
    with pytest.raises(UsageError, match=f"^{name} cannot change during a migration"):
        plan_migration(plan(tmp_path), ["provider=versitygw"], more, {})


def test_another_name_must_be_refused_wherever_it_comes_from(tmp_path: Path) -> None:
    old, new = plan(tmp_path), plan(tmp_path, "COMPOSE_PROJECT_NAME=other", *OUTSIDE_LINES)
    with pytest.raises(UsageError, match="COMPOSE_PROJECT_NAME cannot change"):
        refuse(old, new)


def test_a_whole_env_file_must_do_as_settings_file(tmp_path: Path) -> None:
    """Other settings in it are the same as before."""
    lines = ("COMPOSE_PROJECT_NAME=mine", "MLFLOW_PORT=5001", "MLFLOW_HTTP_REQUEST_TIMEOUT=7")
    old, more = plan(tmp_path, *lines), tmp_path / "new.env"
    text = env_text(*lines, "MLFLOW_BUCKET_NAME=team", "MLFLOW_WORKERS=2", "PG_MEMORY=1g")
    more.write_text(text, encoding="utf-8")
    assert plan_migration(old, ["s3=http://objects.lab:9000"], more, {}).new.stack.name == "mine"


def test_line_endings_must_be_preserved(tmp_path: Path) -> None:
    lines = env_text("BACKEND_STORE=sqlite").replace("\n", "\r\n")
    (tmp_path / ".env").write_bytes(lines.encode())
    old = load_plan(*read_settings(tmp_path / ".env", {}), {})
    text = plan_migration(old, ["s3=http://objects.lab:9000"], None, {}).text
    assert lines.splitlines(keepends=True)[0] in text


@pytest.mark.parametrize(
    ("to", "lines", "message"),
    [
        ("provider=minio", (), "nothing to move"),
        ("postgres=db.lab", (), "runs can only be moved from SQLite to PostgreSQL"),
        ("provider=versitygw", ("STACK_ENGINE=local",), "needs Docker"),
        ("provider=versitygw", ("MINIO_VOLUME_PATH=/srv/objects",), "two servers cannot share"),
        ("provider=versitygw", ("MINIO_VOLUME_PATH=../objects",), "two servers cannot share"),
        ("s3=http://127.0.0.1:9000", ("STACK_ENGINE=local",), "lead to this stack's own S3 server"),
        ("s3=http://host.docker.internal:9000", (), "lead to this stack's own S3 server"),
    ],
)
def test_impossible_moves_must_be_refused(
    to: str, lines: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises((UsageError, SettingsError), match=message):
        move(tmp_path, to, *lines)


def test_a_folder_must_be_recognized_by_another_spelling(tmp_path: Path) -> None:
    old = plan(tmp_path, "MINIO_VOLUME_PATH=../objects")
    new = plan(tmp_path, f"MINIO_VOLUME_PATH={tmp_path.parent}/objects")
    with pytest.raises(UsageError, match="two servers cannot share"):
        refuse(old, new)


def test_a_setting_of_the_environment_must_be_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="MINIO_HOST is set in the environment"):
        move(tmp_path, "s3=http://objects.lab:9000", environ={"MINIO_HOST": "s3"})


def test_a_stack_that_is_not_running_must_be_refused(tmp_path: Path) -> None:
    found = move(tmp_path, "postgres=postgres", "BACKEND_STORE=sqlite")
    engine = FakeEngine(found.old.stack)
    with pytest.raises(UsageError, match="not running"):
        actions.migrate_store(found, lambda _: engine, FakeScreen(), wait_timeout=5)


def test_settings_that_up_refuses_must_be_refused_before_anything_is_stopped(
    tmp_path: Path,
) -> None:
    """Otherwise the stack would end up on stores on which it cannot start."""
    found = move(tmp_path, "postgres=postgres", "BACKEND_STORE=sqlite")
    old = FakeEngine(found.old.stack, statuses=ALL_WELL)
    new = FakeEngine(found.new.stack, problems={"check_data": EngineError("not with this data")})
    with pytest.raises(EngineError, match="not with this data"):
        actions.migrate_store(
            found, lambda plan: old if plan is found.old else new, FakeScreen(), wait_timeout=5
        )
    assert old.calls == ["check", "check_data"]


UNKNOWN_HOST = {"database": {"cause": "pg_host", "detail": "no address", "seconds": 0.1}}


@pytest.mark.parametrize(
    ("to", "failure", "message"),
    [
        (
            "postgres=postgres",
            {"problems": {"start": EngineError("it does not start")}},
            "it does not start",
        ),
        (
            "postgres=no.such.host.invalid",
            {"outcome": answered(UNKNOWN_HOST)},
            r"PG_HOST does not resolve \(no address\)",
        ),
    ],
    ids=["a server", "the new database"],
)
def test_the_stack_must_be_restored_whatever_fails(
    tmp_path: Path, to: str, failure: Mapping[str, Any], message: str
) -> None:
    found = move(tmp_path, to, "BACKEND_STORE=sqlite")
    old = FakeEngine(found.old.stack, statuses=ALL_WELL)
    middle = FakeEngine(found.intermediate.stack, **failure)

    def engine_of(plan: Plan) -> Engine:
        return old if plan is found.old else middle

    before = (tmp_path / ".env").read_text(encoding="utf-8")
    with pytest.raises((EngineError, StoreError), match=message):
        actions.migrate_store(found, engine_of, FakeScreen(), wait_timeout=5)
    assert (tmp_path / ".env").read_text(encoding="utf-8") == before
    assert old.calls[-1] == "start"
    rendered = (tmp_path / "compose/docker-compose.yaml").read_text(encoding="utf-8")
    assert rendered == found.old.rendering().files["docker-compose.yaml"].text
