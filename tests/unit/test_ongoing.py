"""A stack during a migration: failures, edits by its owner, and the output of `status`."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import (
    MigrationPlan,
    Plan,
    load_plan,
    migrate,
    ongoing_migration,
    read_settings,
)
from mlflow_compose.actions.changed import places_of
from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.migration_plan import plan_migration
from mlflow_compose.actions.ongoing import OngoingMigration, copied_to, mark
from mlflow_compose.engines import Engine, ServiceStatus
from mlflow_compose.errors import (
    DataElsewhereError,
    EngineError,
    EnvFileError,
    NotReadyError,
    ServiceError,
    SettingsError,
    StoreError,
    UsageError,
    VerifyError,
)
from mlflow_compose.lock import Holder, hold
from mlflow_compose.paths import StackPaths
from mlflow_compose.payloads import as_json
from mlflow_compose.record import read_record
from mlflow_compose.render import Rendering, write
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.envfile import parse
from mlflow_compose.stack import Stack
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.samples import stack
from tests.unit.test_migrate import move
from tests.unit.test_signals import closed_pipe

COPIED = answered({"rows": {"runs": 1}})


@dataclass
class World:
    """A small stack that moves to a database, with failures and events during the move."""

    move: MigrationPlan
    failures: dict[str, list[BaseException]] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def engine_of(self, plan: Plan) -> Engine:
        names = {id(self.move.old): "old", id(self.move.new): "new"}
        return Scripted(plan.stack, self, names.get(id(plan), "middle"))

    def migrate(self, screen: Progress | None = None) -> None:
        actions.migrate_store(self.move, self.engine_of, screen or FakeScreen(), wait_timeout=5)

    @property
    def paths(self) -> StackPaths:
        return self.move.old.paths

    @property
    def env(self) -> str:
        return self.paths.env_file.read_text(encoding="utf-8")

    def fail_while_switching(
        self, monkeypatch: pytest.MonkeyPatch, failure: BaseException
    ) -> list[str]:
        """Fail once the env file has changed; return its content at that time."""
        during: list[str] = []

        def write_(rendering: Rendering, folder: Path) -> None:
            if self.env != self.move.env.before and self.started == ["middle"]:
                during.append(self.env)
                raise failure
            write(rendering, folder)

        monkeypatch.setattr(migrate, "write", write_)
        return during

    def expect_restored(self) -> None:
        path = self.move.old.folder / "docker-compose.yaml"
        before = self.move.old.rendering().files[path.name].text
        assert path.read_text(encoding="utf-8") == before
        assert self.started[-1] == "old"
        assert ongoing_migration(self.paths) is None


class Scripted(FakeEngine):
    """An engine that is always running; its start runs callbacks and may fail."""

    def __init__(self, stack: Stack, world: World, kind: str) -> None:
        ports = frozenset(port.published for one in stack.services for port in one.ports)
        super().__init__(stack, statuses=ALL_WELL, held=ports, outcome=COPIED)
        self._world, self._kind = world, kind

    def stop(self, progress: Progress, *, volumes: bool) -> str:
        del progress
        assert not volumes
        self._world.started.append("stopped")
        return ""

    def start(
        self, progress: Progress, *, wait_timeout: float, without: Collection[str] = ()
    ) -> Sequence[ServiceError]:
        del wait_timeout, without
        world, kind = self._world, self._kind
        world.started.append(kind)
        assert ongoing_migration(world.paths)
        world.meanwhile.get(kind, lambda: None)()
        with progress.step(f"Starting {kind}"):
            if world.failures.get(kind):
                raise world.failures[kind].pop(0)
        return []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(move(tmp_path, "postgres=postgres", "# mine", "BACKEND_STORE=sqlite"))


REFUSED = EngineError("it does not start")


@pytest.mark.parametrize("answer", [{}, {"rows": {}}, {"rows": ["runs"]}])
def test_a_malformed_answer_must_restore_the_stack(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """It must be noticed before the stack is switched."""
    monkeypatch.setattr("tests.unit.test_ongoing.COPIED", answered(answer))
    before = world.env
    with pytest.raises(StoreError, match="the runs cannot be copied"):
        world.migrate()
    assert world.env == before
    world.expect_restored()


def test_files_that_cannot_be_switched_must_be_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The env file has already changed at that time."""
    before, during = world.env, world.fail_while_switching(monkeypatch, REFUSED)
    with pytest.raises(EngineError):
        world.migrate()
    assert during == [world.move.text] != [before]
    assert world.env == before
    assert world.started == ["middle", "old"]
    world.expect_restored()


def test_a_restored_stack_must_not_count_as_copied_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old MLflow answers clients again, and kill -9 may follow."""
    marks: list[object] = []
    world.fail_while_switching(monkeypatch, REFUSED)
    world.meanwhile["old"] = lambda: marks.append(copied_to(world.paths))
    with pytest.raises(EngineError):
        world.migrate()
    assert marks == [None]


def test_only_an_interrupted_copy_must_be_left_over(world: World) -> None:
    """It would block the next attempt, and only this migration created it."""
    world.failures["middle"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        world.migrate()
    found = read_record(world.paths)
    assert found.left_over == {"docker": ["postgres_data"]}
    assert found.places == {"docker": places_of(world.move.old)}


class StrictScreen(FakeScreen):
    """A screen that asserts that the stack is restored before any note is shown."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def note(self, text: str) -> None:
        self._world.expect_restored()
        super().note(text)


@pytest.mark.parametrize("failure", [REFUSED, KeyboardInterrupt(), ZeroDivisionError()])
def test_the_stack_must_be_restored_before_anything_is_reported(
    failure: BaseException, world: World
) -> None:
    screen = StrictScreen(world)
    world.failures["middle"] = [failure]
    with pytest.raises(type(failure)):
        world.migrate(screen)
    assert screen.shown[-1] == "note: the stack was restored"


def test_a_closed_pipe_must_not_prevent_the_restore(world: World) -> None:
    world.failures["middle"] = [KeyboardInterrupt()]
    with closed_pipe() as shown, pytest.raises(KeyboardInterrupt):
        world.migrate(shown)
    world.expect_restored()


def test_the_first_signal_during_the_restore_must_not_interrupt_it(world: World) -> None:
    """The first failure is not a signal."""
    world.failures = {"middle": [REFUSED], "old": [KeyboardInterrupt()]}
    with pytest.raises(EngineError):
        world.migrate()
    assert world.started == ["middle", "old", "stopped", "old"]
    world.expect_restored()


def test_docker_must_finish_an_interrupted_command_before_the_restore(world: World) -> None:
    """The old MLflow may still be running and about to be stopped."""
    world.failures["middle"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        world.migrate()
    assert world.started == ["middle", "stopped", "old"]


def test_services_stopped_by_another_ctrl_c_must_be_started_again(world: World) -> None:
    """It signals everything started from the terminal, including `docker compose up`."""
    world.failures = {"middle": [KeyboardInterrupt()], "old": [REFUSED, REFUSED]}
    with pytest.raises(KeyboardInterrupt):
        world.migrate()
    world.expect_restored()


def test_a_stack_that_cannot_be_restored_must_be_reported_as_interrupted(world: World) -> None:
    screen = FakeScreen()
    world.failures = {"middle": [REFUSED], "old": [EngineError("the disk is full")]}
    with pytest.raises(EngineError):
        world.migrate(screen)
    assert "could not be restored: the disk is full; mlflow-compose up" in screen.shown[-1]
    found = ongoing_migration(world.paths)
    assert found
    assert found.data.state == "interrupted"


# --- MLflow may have answered on the new stores


@pytest.fixture(params=["start fails", "start interrupted", "proof fails", "proof interrupted"])
def opened(
    request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch
) -> tuple[World, FakeScreen]:
    """Return a stack whose new MLflow was started before the migration was interrupted."""
    failure = KeyboardInterrupt() if "interrupted" in request.param else REFUSED
    screen = FakeScreen()

    def verify(engine: Engine, progress: Progress) -> Result:
        del engine, progress
        if isinstance(failure, KeyboardInterrupt):
            raise failure
        return Result(errors=(VerifyError("the proof fails"),))

    monkeypatch.setattr(migrate, "verify", verify)
    if "start" in request.param:
        world.failures["new"] = [failure]
    with pytest.raises((KeyboardInterrupt, EngineError, VerifyError)):
        world.migrate(screen)
    return world, screen


def start(found: Plan, engine: Engine, engine_of: Callable[[Plan], Engine] | None = None) -> None:
    actions.up(found, engine, FakeScreen(), wait_timeout=5, prove=False, engine_of=engine_of)


def current_plan(world: World) -> Plan:
    """Return the plan of the stack according to its current env file."""
    return load_plan(*read_settings(world.paths.env_file, {}), {}, identity=world.move.old.identity)


def test_runs_that_mlflow_may_have_stored_must_stay_in_the_stack(
    opened: tuple[World, FakeScreen],
) -> None:
    """It was acknowledged to clients, and there is no other copy."""
    world, screen = opened
    assert world.started == ["middle", "new"]
    assert world.env == world.move.text
    assert copied_to(world.paths) == places_of(world.move.new)
    assert "mlflow-compose up finishes the migration" in screen.shown[-1]


def test_up_must_then_finish_the_interrupted_migration(opened: tuple[World, FakeScreen]) -> None:
    """A start that fails in between makes no difference."""
    world, _ = opened
    found = current_plan(world)
    world.failures["middle"] = [NotReadyError("s3 is not ready", service="s3")]
    with pytest.raises(NotReadyError):
        start(found, world.engine_of(found))
    assert copied_to(world.paths) == places_of(found)
    start(found, world.engine_of(found))
    assert ongoing_migration(world.paths) is None
    assert read_record(world.paths).left_over == {"docker": ["mlflow_data"]}


def test_an_env_file_restored_by_hand_must_not_hide_the_new_data(
    opened: tuple[World, FakeScreen],
) -> None:
    """`--prune` must not delete it either, even if the stack then starts without it."""
    world, _ = opened
    world.paths.env_file.write_text(world.move.env.before, encoding="utf-8")
    old = current_plan(world)
    full = FakeEngine(old.stack, ALL_WELL, outcome=answered({"runs": 1, "objects": 0}))
    with pytest.raises(DataElsewhereError, match="runs are in "):
        start(old, full, engine_of=lambda _: full)
    start(old, full)
    engine = FakeEngine(old.stack, unused=("postgres_data",))
    assert actions.unused(old, engine) == ()


def test_nothing_must_be_left_over_before_a_migration_has_ended(
    opened: tuple[World, FakeScreen],
) -> None:
    world, _ = opened
    found = current_plan(world)
    engine = FakeEngine(found.stack, unused=("mlflow_data",))
    with pytest.raises(UsageError, match="has not ended"):
        actions.unused(found, engine)
    start(found, world.engine_of(found))
    assert actions.unused(found, engine) == ("mlflow_data",)


# --- edits of the env file during a migration


def edits(world: World, old: str, new: str) -> Callable[[], object]:
    return lambda: world.paths.env_file.write_text(world.env.replace(old, new), encoding="utf-8")


def test_an_edit_during_a_migration_must_not_be_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = FakeScreen()
    world.meanwhile["middle"] = edits(world, "# mine", "MLFLOW_WORKERS=4")
    world.meanwhile["old"] = edits(world, "MLFLOW_WORKERS=4", "MLFLOW_WORKERS=5 # why not")
    before, during = world.env, world.fail_while_switching(monkeypatch, REFUSED)
    with pytest.raises(EngineError):
        world.migrate(screen)
    now, was = parse(world.env).values, parse(before).values
    assert now == {**was, "MLFLOW_WORKERS": "5"}
    assert ["MLFLOW_WORKERS=4" in text for text in during] == [True]
    assert any(
        ".env was edited during the migration; mlflow-compose up applies the changes" in line
        for line in screen.shown
    )
    world.expect_restored()


def test_an_edit_of_the_store_itself_must_stay_and_be_reported(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    change = EnvChange(file, "PG_HOST=old.lab\n", {"PG_HOST": "new.lab", "PG_PORT": "5433"})
    file.write_text("PG_HOST=other.lab\n", encoding="utf-8")
    with pytest.raises(EnvFileError, match=r"edited during the migration: PG_HOST$"):
        change.apply()
    change.undo()
    assert parse(file.read_text(encoding="utf-8")).values == {"PG_HOST": "other.lab"}


def test_an_env_file_deleted_during_a_migration_must_be_restored(world: World) -> None:
    before = world.env
    world.meanwhile["middle"] = world.paths.env_file.unlink
    with pytest.raises(EnvFileError, match="No such file"):
        world.migrate()
    assert world.env == before
    assert world.paths.env_file.stat().st_mode & 0o777 == 0o600


def test_an_unreadable_env_file_must_not_prevent_the_restore(
    world: World,
) -> None:
    screen = FakeScreen()
    world.meanwhile["middle"] = lambda: world.paths.env_file.write_bytes(b"\xff")
    with pytest.raises(EnvFileError, match="is not UTF-8 text"):
        world.migrate(screen)
    assert world.paths.env_file.read_bytes() == b"\xff"
    assert "is not UTF-8 text (byte 0)" in screen.shown[-1]
    world.expect_restored()


def test_a_secret_of_an_env_file_must_not_be_shown(world: World) -> None:
    assert "password-of-the-sample" not in repr(world.move.env)


# --- the output of `status`


SINCE = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
WHEN = Holder("", SINCE, 4711).when


def status(by: Holder | None, statuses: tuple[ServiceStatus, ...] = ALL_WELL) -> Result:
    return actions.status(FakeEngine(stack(), statuses), OngoingMigration(by))


def test_status_must_report_a_running_migration_and_its_process() -> None:
    result = status(Holder("migrate-store", SINCE, 4711))
    text = f"migrate-store has been moving data {WHEN}; MLflow is unavailable"
    assert text in result.lines
    assert as_json(result.data)["migration"] == {
        "state": "running",
        "pid": 4711,
        "since": "2026-11-21T14:02:00+00:00",
    }


def test_mlflow_must_not_be_reported_as_healthy_during_a_migration() -> None:
    services = {one["name"]: one for one in as_json(status(None).data)["services"]}
    mlflow = services["mlflow"]
    assert (mlflow["state"], mlflow["health"], mlflow["ports"]) == ("running", "", [])
    assert services["s3"]["health"] == "healthy"


def test_status_must_report_an_interrupted_migration_with_a_solution() -> None:
    result = status(None)
    assert any(
        "interrupted" in line and "mlflow-compose up restores" in line for line in result.lines
    )
    assert as_json(result.data)["migration"] == {"state": "interrupted", "pid": None, "since": None}
    mending = status(Holder("up", SINCE, 7))
    assert any("up has been working on this stack since" in line for line in mending.lines)
    assert status(None, ()).lines == ["nothing is running; mlflow-compose up starts the stack"]


def test_status_must_not_suggest_up_between_two_starts_of_a_migration() -> None:
    """Briefly, nothing runs."""
    result = status(Holder("migrate-store", SINCE, 4711), ())
    assert len(result.lines) == 1
    assert "moving data" in result.lines[0]


def test_status_must_report_that_up_finishes_a_complete_copy(world: World) -> None:
    """At that point, either MLflow runs on the new stores or nothing runs."""
    mark(world.paths, places_of(world.move.new))
    found = ongoing_migration(world.paths)
    assert found
    result = actions.status(FakeEngine(stack(), ALL_WELL), found)
    assert any("mlflow-compose up finishes it" in line for line in result.lines)
    services = {one["name"]: one for one in as_json(result.data)["services"]}
    assert services["mlflow"]["health"] == "healthy"
    with hold(world.paths, "migrate-store"):
        running = ongoing_migration(world.paths)
    assert running
    assert "is starting the stack on its new stores" in running.text


def test_status_must_report_no_migration_otherwise() -> None:
    assert as_json(actions.status(FakeEngine(stack(), ALL_WELL)).data)["migration"] is None


def test_the_mark_must_distinguish_a_running_migration_from_a_dead_one(world: World) -> None:
    assert ongoing_migration(world.paths) is None
    mark(world.paths)
    with hold(world.paths, "migrate-store"):
        found = ongoing_migration(world.paths)
        assert found
        assert (found.data.state, found.data.pid) == ("running", os.getpid())
    assert ongoing_migration(world.paths) == OngoingMigration(None)


def test_up_must_end_an_interrupted_migration(world: World) -> None:
    mark(world.paths)
    engine = world.engine_of(world.move.old)
    actions.up(world.move.old, engine, FakeScreen(), wait_timeout=5, prove=False)
    assert ongoing_migration(world.paths) is None


def test_settings_that_new_stores_need_must_be_required_before_anything_is_written(
    tmp_path: Path,
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("BACKEND_STORE=sqlite\nARTIFACT_STORE=local\n", encoding="utf-8")
    loaded, paths = read_settings(env_file, {})
    old = load_plan(loaded, paths, {})
    with pytest.raises(SettingsError) as caught:
        plan_migration(old, ["postgres=postgres"], None, {})
    assert "with the new stores, 1 setting in .env is wrong\n  PG_PASSWORD" in caught.value.message
    assert "--settings FILE" in (caught.value.hint or "")
    more = tmp_path / "more.env"
    more.write_text("PG_PASSWORD=of-the-new-database\n", encoding="utf-8")
    new = plan_migration(old, ["postgres=postgres"], more, {}).new
    assert new.identity.key == old.identity.key != ""
