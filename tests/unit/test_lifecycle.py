"""`up`, `down`, `status` and `logs`: their steps, the order, and their output."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.errors import (
    EngineError,
    FilesChangedError,
    NotReadyError,
    PortTakenError,
    ServiceFailedError,
    UsageError,
)
from mlflow_compose.payloads import as_json
from mlflow_compose.result import Result
from mlflow_compose.targets import COMPOSE, LOCAL
from tests.unit.conftest import User
from tests.unit.fakes import ALL_WELL, SINCE, FakeEngine, FakeScreen
from tests.unit.samples import env_text


def plan(folder: Path, *lines: str, environ: dict[str, str] | None = None) -> Plan:
    """Return the plan of a stack in `folder` that does not use the default ports."""
    (folder / ".env").write_text(
        env_text("MINIO_CONSOLE_ADDRESS=:19001", "MINIO_PORT=19000", *lines), encoding="utf-8"
    )
    world = {"MLFLOW_PORT": "15000", **(environ or {})}
    return load_plan(*read_settings(folder / ".env", world), world)


def up(engine: FakeEngine, found: Plan, screen: FakeScreen | None = None) -> Result:
    return actions.up(found, engine, screen or FakeScreen(), wait_timeout=5, prove=False)


def test_up_must_check_the_engine_write_files_and_check_ports_before_anything_starts(
    tmp_path: Path,
) -> None:
    found = plan(tmp_path)
    engine = FakeEngine(found.stack)
    result = up(engine, found)
    assert engine.calls == ["check", "check_data", "held_ports", "prepare", "start"]
    assert (tmp_path / "compose/docker-compose.yaml").is_file()
    assert result.ok
    assert as_json(result.data)["urls"]["mlflow"] == "http://127.0.0.1:15000"
    assert [service["name"] for service in as_json(result.data)["services"]] == [
        "postgres",
        "s3",
        "bucket-init",
        "mlflow",
    ]
    assert "MLflow     http://127.0.0.1:15000" in result.lines


def test_up_must_write_nothing_if_the_engine_cannot_be_used(tmp_path: Path) -> None:
    found = plan(tmp_path)
    engine = FakeEngine(found.stack, problems={"check": EngineError("no engine")})
    with pytest.raises(EngineError):
        up(engine, found)
    assert engine.calls == ["check"]
    assert not (tmp_path / "compose").exists()


def test_up_must_write_nothing_if_the_data_belongs_to_another_server(tmp_path: Path) -> None:
    found = plan(tmp_path)
    engine = FakeEngine(found.stack, problems={"check_data": EngineError("not ours")})
    with pytest.raises(EngineError):
        up(engine, found)
    assert engine.calls == ["check", "check_data"]
    assert not (tmp_path / "compose").exists()


def test_up_must_start_nothing_if_a_file_was_edited_by_hand(tmp_path: Path) -> None:
    found = plan(tmp_path)
    up(FakeEngine(found.stack), found)
    (tmp_path / "compose/docker-compose.yaml").write_text("mine", encoding="utf-8")
    engine = FakeEngine(found.stack)
    with pytest.raises(FilesChangedError):
        up(engine, found)
    assert engine.calls == ["check", "check_data"]


def test_up_must_start_nothing_if_a_port_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflow_compose.engines.ports.is_taken", lambda _, port: port == 15000)
    found = plan(tmp_path)
    engine = FakeEngine(found.stack, owners={15000: "the container x"}, held=frozenset())
    with pytest.raises(PortTakenError):
        up(engine, found)
    assert engine.calls == ["check", "check_data", "held_ports"]


def test_up_must_start_the_others_if_the_port_of_a_seat_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflow_compose.engines.ports.is_taken", lambda _, port: port == 5201)
    found = plan(tmp_path, "CLASS_MODE=seats", "CLASS_SEATS=ada=5201 ben=5202", "MLFLOW_AUTH=basic")
    engine = FakeEngine(found.stack, owners={5201: "the container x"}, held=frozenset())
    (error,) = up(engine, found).errors
    assert str(error) == "port 5201 is already in use by the container x, so seat-ada cannot use it"
    assert "give the seat another port in CLASS_SEATS, such as 5203" in str(error.hint)
    assert engine.calls[-1] == "start without seat-ada"


def test_up_must_report_settings_that_the_environment_changed(tmp_path: Path) -> None:
    screen = FakeScreen()
    found = plan(tmp_path, "PG_PASSWORD=file-password", environ={"PG_PASSWORD": "hunter2"})
    up(FakeEngine(found.stack), found, screen)
    assert "note: from the environment, not from .env: MLFLOW_PORT, PG_PASSWORD" in screen.shown
    assert "hunter2" not in "\n".join(screen.shown)


def test_up_must_report_oddities_of_the_env_file(tmp_path: Path) -> None:
    screen = FakeScreen()
    found = plan(tmp_path, "MLFLOW_WORKERS=3\r")
    up(FakeEngine(found.stack), found, screen)
    assert any("Windows line endings" in line for line in screen.shown)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_up_must_report_an_env_file_that_others_can_read(
    tmp_path: Path, mode: int, *, warned: bool
) -> None:
    screen = FakeScreen()
    found = plan(tmp_path)
    (tmp_path / ".env").chmod(mode)
    up(FakeEngine(found.stack), found, screen)
    assert ("note: other users may read .env: chmod 600 .env" in screen.shown) is warned


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("minio/minio:latest", True),
        ("minio/minio", True),
        ("minio/minio@sha256:0", True),
        ("registry.example.org:5000/minio/minio:RELEASE.2025-04-22T22-12-26Z", True),
        ("quay.io/minio/minio:latest", True),
        ("quay.io/minio/aistor/minio:latest", True),
        ("", False),
        ("r.example.org/silo:1", False),
        ("r.example.org/minio/minio-fork:1", False),
        ("r.example.org/our-minio/minio:1", False),
    ],
)
def test_an_unmaintained_image_must_cause_a_warning(
    tmp_path: Path, image: str, *, warned: bool
) -> None:
    screen = FakeScreen()
    found = plan(tmp_path, f"MINIO_IMAGE={image}")
    up(FakeEngine(found.stack), found, screen)
    assert any("maintained fork" in line for line in screen.shown) is warned


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", ""),
        ("MLFLOW_WORKSPACES=true", "everyone can use every workspace"),
        ("MLFLOW_WORKSPACES=true MLFLOW_AUTH=basic", ""),
        (
            "MLFLOW_WORKSPACES=true MLFLOW_AUTH=basic MLFLOW_ARTIFACT_ACCESS=direct",
            "the artifacts of every workspace",
        ),
    ],
)
def test_up_must_say_if_workspaces_keep_no_user_out(
    tmp_path: Path, lines: str, message: str
) -> None:
    screen = FakeScreen()
    found = plan(tmp_path, *lines.split())
    up(FakeEngine(found.stack), found, screen)
    said = [line for line in screen.shown if "every workspace" in line]
    assert bool(said) is bool(message)
    assert message in "".join(said)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), None),
        (("S3_PROVIDER=versitygw",), None),
        (("S3_PROVIDER=rclone",), "rclone has one key for everything"),
        (("S3_PROVIDER=rclone", "ARTIFACT_STORE=local"), None),
        (("S3_PROVIDER=rclone", "MINIO_HOST=objects.lab"), None),
        (("STACK_ENGINE=local",), "rclone has one key for everything"),
    ],
)
def test_an_unlimited_key_must_be_reported_by_up_and_config(
    user: User, lines: tuple[str, ...], message: str | None
) -> None:
    user.has_env(*lines)
    loaded, paths = actions.read_settings(user.env_file, {})
    target = LOCAL if "STACK_ENGINE=local" in lines else COMPOSE
    found = actions.load_plan(loaded, paths, {}, target)
    screen = FakeScreen()
    up(FakeEngine(found.stack), found, screen)
    shown = actions.config(found)
    for text in ("\n".join(screen.shown), "\n".join(shown.lines)):
        assert ("one key for everything" in text) is bool(message)
        assert (message or "") in text
    limited = not message if found.stack.has("s3") else None
    assert as_json(shown.data)["s3_key_is_limited"] is limited


@pytest.mark.parametrize("kind", [ServiceFailedError, NotReadyError])
def test_a_server_that_does_not_start_must_keep_its_error_class(
    tmp_path: Path, kind: type[ServiceFailedError | NotReadyError]
) -> None:
    """The exit code distinguishes a service that exited from one that needs more time."""
    found = plan(tmp_path)
    error = kind("mlflow is not well", service="mlflow", hint="look")
    engine = FakeEngine(found.stack, problems={"start": error})
    with pytest.raises(kind) as caught:
        up(engine, found)
    assert "mlflow is not well" in caught.value.message
    assert caught.value.service == "mlflow"
    assert "the stack is not running" in caught.value.message


def test_the_error_of_another_service_must_be_raised_unchanged(tmp_path: Path) -> None:
    found = plan(tmp_path)
    error = ServiceFailedError("bucket-init ended", service="bucket-init", hint="look")
    with pytest.raises(ServiceFailedError) as caught:
        up(FakeEngine(found.stack, problems={"start": error}), found)
    assert caught.value is error


@pytest.mark.parametrize(
    ("statuses", "volumes", "message"),
    [
        (ALL_WELL, False, "stopped; the data is kept, mlflow-compose up starts the stack again"),
        (ALL_WELL, True, "stopped; the volumes were deleted"),
        ((), True, "nothing was running; the volumes were deleted"),
        ((), False, "nothing was running"),
    ],
)
def test_down_must_report_whether_the_data_was_kept(
    tmp_path: Path, statuses: tuple[ServiceStatus, ...], message: str, *, volumes: bool
) -> None:
    found = plan(tmp_path)
    engine = FakeEngine(found.stack, statuses)
    result = actions.down(found, engine, FakeScreen(), volumes=volumes)
    assert result.lines == [message]
    assert as_json(result.data) == {"project": "mlflow", "volumes_removed": volumes}
    assert engine.calls == ["check", f"stop volumes={volumes}"]


def test_down_must_report_that_it_keeps_a_folder_of_this_machine(tmp_path: Path) -> None:
    found = plan(tmp_path, "MINIO_VOLUME_PATH=/srv/objects")
    engine = FakeEngine(found.stack, ALL_WELL)
    (line,) = actions.down(found, engine, FakeScreen(), volumes=True).lines
    assert line == "stopped; the volumes were deleted; the data in /srv/objects is kept"


def test_down_must_report_that_it_keeps_external_data(tmp_path: Path) -> None:
    found = plan(tmp_path, "PG_HOST=db.lab", "MINIO_HOST=aws")
    engine = FakeEngine(found.stack, ALL_WELL)
    (line,) = actions.down(found, engine, FakeScreen(), volumes=True).lines
    assert line == (
        "stopped; the volumes were deleted; the data in PostgreSQL at db.lab:5432/mlflow, "
        "TLS prefer and s3://mlflow at Amazon, region us-east-1 is kept"
    )


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        ((), "all runs and artifacts"),
        (("PG_HOST=db.lab",), "all artifacts"),
        (("MINIO_HOST=aws", "BACKEND_STORE=sqlite"), "all runs"),
        (("MINIO_HOST=aws", "PG_HOST=db.lab"), "the volumes"),
    ],
)
def test_the_question_must_list_the_data_to_be_lost(
    tmp_path: Path, lines: tuple[str, ...], lost: str
) -> None:
    engine = FakeEngine(plan(tmp_path, *lines).stack)
    assert actions.what_is_lost(engine) == f"Delete {lost} of the stack mlflow?"
    engine.unused = ("minio_data",)
    question = actions.what_is_lost(engine)
    assert question == f"Delete {lost} of the stack mlflow, and the older data in minio_data?"


def test_status_must_show_the_state_and_address_of_each_service(tmp_path: Path) -> None:
    statuses = (*ALL_WELL[:3], replace(ALL_WELL[3], restarts=2))
    result = actions.status(FakeEngine(plan(tmp_path).stack, statuses))
    assert as_json(result.data)["project"] == "mlflow"
    assert as_json(result.data)["engine"] == "fake"
    assert as_json(result.data)["services"][1] == {
        "name": "s3",
        "state": "running",
        "health": "healthy",
        "ports": ["127.0.0.1:9000"],
        "since": "2026-11-28T07:05:09+00:00",
        "restarts": 0,
        "replica": None,
    }
    assert as_json(result.data)["urls"] == {
        "mlflow": "http://127.0.0.1:15000",
        "s3": "http://127.0.0.1:19000",
        "console": "http://127.0.0.1:19001",
    }
    text = "\n".join(result.lines)
    assert "postgres     running (healthy)" in text
    when = f"{SINCE.astimezone():%Y-%m-%d %H:%M:%S}"
    assert f"s3           running (healthy) since {when} 127.0.0.1:9000" in text
    assert f"mlflow       running (healthy) since {when} after 2 restarts 127.0.0.1:5000" in text
    assert "bucket-init  done" in text


def test_status_must_show_where_runs_and_artifacts_are(tmp_path: Path) -> None:
    found = plan(tmp_path, "PG_HOST=db.lab", "PG_SSLMODE=require", "ARTIFACT_STORE=local")
    result = actions.status(FakeEngine(found.stack, ALL_WELL[3:]))
    assert result.lines[-2:] == [
        "Runs       PostgreSQL at db.lab:5432/mlflow, TLS require",
        "Artifacts  files in the folder artifacts in the volume mlflow_data",
    ]
    stores = as_json(result.data)["stores"]
    runs, artifacts = stores["runs"], stores["artifacts"]
    assert (runs["kind"], runs["external"], runs["host"]) == ("postgres", True, "db.lab")
    assert (artifacts["kind"], artifacts["external"]) == ("folder", False)


def test_status_must_report_that_nothing_runs(tmp_path: Path) -> None:
    result = actions.status(FakeEngine(plan(tmp_path).stack))
    assert result.ok
    assert as_json(result.data)["services"] == []
    assert result.lines == ["nothing is running; mlflow-compose up starts the stack"]


def test_logs_must_pass_its_options_to_the_engine(tmp_path: Path) -> None:
    engine = FakeEngine(plan(tmp_path).stack)
    assert list(actions.logs(engine, ["s3"], follow=False, tail=5)) == ["one", "two"]
    assert engine.calls == ["check", "logs s3 follow=False tail=5"]


def test_logs_of_an_unknown_service_must_be_refused(tmp_path: Path) -> None:
    engine = FakeEngine(plan(tmp_path).stack)
    with pytest.raises(UsageError) as caught:
        actions.logs(engine, ["mlfow"], follow=False, tail=None)
    assert caught.value.message == "no such service: mlfow"
    assert caught.value.hint == "the services of this stack are postgres, s3, bucket-init, mlflow"
    assert engine.calls == []
