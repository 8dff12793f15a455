"""`up` stops if a changed setting would hide existing data."""

import shutil
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan
from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.actions.ongoing import mark
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import DataElsewhereError, EngineError, NotReadyError, UsageError
from mlflow_compose.record import Record, read_record
from mlflow_compose.settings import declared
from mlflow_compose.settings.stores import PLACES
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.test_lifecycle import plan, up

FULL = {"experiments": 2, "runs": 1, "models": 0, "users": 0, "objects": 7}
NOTHING = dict.fromkeys(FULL, 0)
SMALL = ("BACKEND_STORE=sqlite", "ARTIFACT_STORE=local")


def start(
    found: Plan, counts: FakeEngine | None = None, *, start_empty: bool = False
) -> FakeEngine:
    """Start a stack whose data is counted by the engine `counts`."""
    runs = FakeEngine(found.stack)
    actions.up(
        found,
        runs,
        FakeScreen(),
        wait_timeout=5,
        prove=False,
        engine_of=None if start_empty else lambda _: counts or runs,
    )
    return runs


def holding(found: Plan, figures: dict[str, int], *statuses: ServiceStatus) -> FakeEngine:
    """Return an engine of a stack that contains this much data."""
    outcome = answered(figures)
    return FakeEngine(found.stack, statuses or ALL_WELL, outcome=outcome)


@pytest.mark.parametrize(
    ("before", "after", "was", "way"),
    [
        ((), ("MLFLOW_BUCKET_NAME=other",), "MLFLOW_BUCKET_NAME was mlflow", ""),
        ((), ("PG_DATABASE=other",), "PG_DATABASE was mlflow", ""),
        ((), ("PG_HOST=db.lab",), "PG_HOST was postgres", ""),
        ((), ("BACKEND_STORE=sqlite",), "BACKEND_STORE was postgres", ""),
        ((), ("ARTIFACT_STORE=local",), "ARTIFACT_STORE was s3", ""),
        ((), ("S3_PROVIDER=versitygw",), "S3_PROVIDER was minio", "provider=versitygw moves"),
        ((), ("MINIO_HOST=s3.lab",), "MINIO_HOST was s3", "s3=http://s3.lab:19000 moves"),
        ((), ("MINIO_HOST=aws",), "MINIO_HOST was s3", "s3=aws moves"),
        (
            (),
            ("MINIO_VOLUME_PATH=objects",),
            "MINIO_VOLUME_PATH was empty",
            "--settings FILE, with MINIO_VOLUME_PATH in FILE, moves",
        ),
        (SMALL, SMALL[1:], "BACKEND_STORE was sqlite", "--to postgres=postgres moves"),
        (SMALL, SMALL[:1], "ARTIFACT_STORE was local", "--to provider=minio moves"),
    ],
)
def test_a_setting_that_hides_data_must_stop_the_start(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], was: str, way: str
) -> None:
    old = plan(tmp_path, *before)
    start(old)
    rendered = (tmp_path / "compose/docker-compose.yaml").read_bytes()
    new = plan(tmp_path, *after)
    with pytest.raises(DataElsewhereError) as caught:
        start(new, holding(old, FULL))
    assert was in caught.value.message
    assert "2 experiments, 1 run" in caught.value.message or "7 objects" in caught.value.message
    hint = caught.value.hint or ""
    assert ("migrate-store" in hint) is bool(way)
    assert way in hint
    assert "up --start-empty" in hint
    assert (tmp_path / "compose/docker-compose.yaml").read_bytes() == rendered

    if new.stack.stores.runs.external:
        # A fake engine has no external server.
        return
    start(new, start_empty=True)
    assert read_record(new.paths).places["docker"] == places_of(new)


@pytest.mark.parametrize(
    "line",
    [
        *("MLFLOW_ALLOWED_HOSTS=lab", "PG_PUBLISH=true", "MLFLOW_WORKERS=1", "PG_PORT=15432"),
        *("MLFLOW_AUTH=basic", "MLFLOW_ARTIFACT_ACCESS=direct", "PG_PASSWORD=other"),
    ],
)
def test_other_settings_must_not_stop_the_start(tmp_path: Path, line: str) -> None:
    start(plan(tmp_path))
    new = plan(tmp_path, line)
    assert changed(new, read_record(new.paths)) is None
    assert "start" in start(new).calls


def test_a_stack_without_data_must_not_be_stopped(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    assert "start" in start(plan(tmp_path, "PG_DATABASE=other"), holding(old, NOTHING)).calls


def test_only_data_that_would_be_hidden_must_count(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    figures = {**NOTHING, "objects": 7}
    assert "start" in start(plan(tmp_path, "PG_DATABASE=other"), holding(old, figures)).calls
    with pytest.raises(DataElsewhereError, match="7 objects") as caught:
        start(plan(tmp_path, "PG_DATABASE=other", "MLFLOW_BUCKET_NAME=x-y"), holding(old, figures))
    assert "runs are in" not in caught.value.message


@pytest.mark.parametrize("figures", [{}, [], None, {"objects": "0"}])
def test_an_answer_without_numbers_must_count_as_data(tmp_path: Path, figures: object) -> None:
    old = plan(tmp_path)
    start(old)
    engine = FakeEngine(old.stack, ALL_WELL, outcome=answered(figures))
    with pytest.raises(DataElsewhereError, match="not counted: malformed answer"):
        start(plan(tmp_path, "PG_DATABASE=other"), engine)


def test_data_that_cannot_be_counted_must_count_as_existing(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    broken = FakeEngine(old.stack, ALL_WELL, outcome=Outcome(1, b"", "connection refused"))
    with pytest.raises(DataElsewhereError, match="not counted: connection refused"):
        start(plan(tmp_path, "PG_DATABASE=other"), broken)


def test_a_stopped_stack_must_be_counted_with_its_servers_and_stopped_again(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    engine = FakeEngine(old.stack, outcome=answered(FULL))
    with pytest.raises(DataElsewhereError, match="2 experiments"):
        start(plan(tmp_path, "PG_DATABASE=other"), engine)
    calls = [call.partition(" /")[0].split(" ")[0] for call in engine.calls]
    assert calls == ["check", "check_data", "held_ports", "prepare", "start", "run", "stop"]
    assert engine.calls[-1] == "stop volumes=False"


def test_no_server_must_be_started_for_counting_if_the_data_is_not_mounted(tmp_path: Path) -> None:
    """It would create an empty stack there, and not find the hidden data."""
    old = plan(tmp_path)
    start(old)
    missing = EngineError("the data of this stack was in /mnt/disk, which no longer holds it")
    engine = FakeEngine(old.stack, problems={"check_data": missing})
    with pytest.raises(DataElsewhereError, match="not counted: the data of this stack was in"):
        start(plan(tmp_path, "PG_DATABASE=other"), engine)
    assert engine.calls == ["check", "check_data"]


def test_a_partly_running_stack_must_not_be_touched(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    engine = FakeEngine(old.stack, tuple(status for status in ALL_WELL if status.name != "s3"))
    with pytest.raises(DataElsewhereError, match="some of its servers are not"):
        start(plan(tmp_path, "PG_DATABASE=other"), engine)
    assert engine.calls == ["check"]


def test_a_new_project_name_must_not_hide_the_volumes_of_the_old_one(tmp_path: Path) -> None:
    old = plan(tmp_path)
    start(old)
    actions.down(old, FakeEngine(old.stack), FakeScreen(), volumes=False)
    new = plan(tmp_path, "COMPOSE_PROJECT_NAME=other")
    with pytest.raises(DataElsewhereError) as caught:
        start(new, holding(old, FULL))
    assert "COMPOSE_PROJECT_NAME was mlflow" in caught.value.message
    assert caught.value.hint
    assert "set COMPOSE_PROJECT_NAME=mlflow back" in caught.value.hint
    assert "migrate-store" not in caught.value.hint
    start(new, start_empty=True)
    assert changed(new, read_record(new.paths)) is None


def test_a_copy_with_its_own_name_must_start(tmp_path: Path) -> None:
    """Its record has the name of the original, whose containers are not its own."""
    (tmp_path / "original").mkdir()
    start(plan(tmp_path / "original"))
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    new = plan(tmp_path / "copy", "COMPOSE_PROJECT_NAME=other")
    actions.check_place(new, read_record(new.paths))
    assert changed(new, read_record(new.paths)) is None
    start(new)


def test_a_running_stack_must_be_stopped_by_its_old_name_first(tmp_path: Path) -> None:
    """Its containers would keep running next to the new ones, out of reach of any command."""
    old = plan(tmp_path)
    start(old)
    new = plan(tmp_path, "COMPOSE_PROJECT_NAME=other")
    with pytest.raises(UsageError, match="this stack runs as mlflow"):
        start(new, start_empty=True)
    actions.down(old, FakeEngine(old.stack), FakeScreen(), volumes=False)
    start(new, start_empty=True)


def test_another_stacks_data_with_the_old_name_must_not_be_counted(tmp_path: Path) -> None:
    old, new = plan(tmp_path, *SMALL), plan(tmp_path, *SMALL[1:])
    start(old)
    counts = holding(old, FULL)
    counts.problems = {"check": EngineError("the name is another stack's")}
    with pytest.raises(DataElsewhereError, match="the name is another stack's"):
        start(new, counts)
    assert counts.calls == ["check"]


def test_a_stack_running_by_another_name_must_be_reported_with_that_name(tmp_path: Path) -> None:
    """Otherwise `down --volumes` would find nothing and report the data as deleted."""
    old = plan(tmp_path)
    start(old)
    record = read_record(old.paths)
    actions.check_place(plan(tmp_path), record)
    with pytest.raises(
        UsageError, match="started as mlflow, but COMPOSE_PROJECT_NAME is now other"
    ):
        actions.check_place(plan(tmp_path, "COMPOSE_PROJECT_NAME=other"), record)


def test_a_copy_must_have_an_id_before_its_data_is_counted(tmp_path: Path) -> None:
    """The servers that are started for counting claim the data with that id."""
    (tmp_path / "original").mkdir()
    start(plan(tmp_path / "original"))
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    new = plan(tmp_path / "copy", "PG_DATABASE=other")
    with pytest.raises(DataElsewhereError):
        start(new, holding(new, FULL))
    assert plan(tmp_path / "copy").identity.id == new.identity.id


def test_external_data_must_be_remembered_whatever_the_current_settings(tmp_path: Path) -> None:
    """`down --volumes` deletes nothing there, so the next start must still check it."""
    old = plan(tmp_path, "MINIO_HOST=s3.lab")
    start(old)
    new = plan(tmp_path)
    result = actions.down(new, FakeEngine(new.stack), FakeScreen(), volumes=True)
    assert "s3.lab" in " ".join(result.lines)
    with pytest.raises(DataElsewhereError):
        start(new, holding(old, FULL))


def test_a_copy_must_be_counted_with_its_future_id(tmp_path: Path) -> None:
    """Its id is random until it is stored, so its data would carry an id that no stack has."""
    (tmp_path / "original").mkdir()
    start(plan(tmp_path / "original"))
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    new = plan(tmp_path / "copy", "PG_DATABASE=other")
    found = changed(new, read_record(new.paths))
    assert found
    assert found.old.identity == new.identity
    assert new.identity.copied_from


def test_a_migration_that_copied_everything_must_be_finished(tmp_path: Path) -> None:
    old, new = plan(tmp_path, *SMALL), plan(tmp_path, *SMALL[1:])
    start(old)
    mark(new.paths, places_of(new))
    assert "start" in start(new, holding(old, FULL)).calls
    found = read_record(new.paths)
    assert found.places["docker"] == places_of(new)
    assert found.left_behind == {}


def test_data_added_to_the_old_stores_must_not_count_as_copied(tmp_path: Path) -> None:
    """The old stack was restarted after the interrupted migration, even if only partly."""
    old = plan(tmp_path, *SMALL)
    start(old)
    mark(old.paths, places_of(plan(tmp_path, *SMALL[1:])))
    old = plan(tmp_path, *SMALL)
    error = NotReadyError("mlflow is not ready", service="mlflow")
    with pytest.raises(NotReadyError):
        up(FakeEngine(old.stack, problems={"start": error}), old)
    new = plan(tmp_path, *SMALL[1:])
    with pytest.raises(DataElsewhereError):
        start(new, holding(old, FULL))


def test_the_first_start_must_not_search_for_data(tmp_path: Path) -> None:
    assert changed(plan(tmp_path), Record()) is None


def test_every_place_must_be_a_setting() -> None:
    assert {name.upper() for name in PLACES} <= dict(declared()).keys()
