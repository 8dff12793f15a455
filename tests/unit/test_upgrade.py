"""Upgrades: which versions they lead to, what `up` refuses, and what an interrupted one leaves."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.changed import places_of
from mlflow_compose.actions.down import down
from mlflow_compose.actions.restore import Work
from mlflow_compose.actions.undo_upgrade import settle
from mlflow_compose.actions.upgrade_plan import plan_upgrade
from mlflow_compose.actions.upgrading import (
    CHANGING,
    PROVEN,
    SAVING,
    Upgrading,
    check_not_upgrading,
    state_of_upgrade,
    upgrading,
    write_upgrading,
)
from mlflow_compose.actions.versions import check_mlflow, record_versions, recorded, versions_of
from mlflow_compose.data.inside.tables import reason
from mlflow_compose.data.upgrade import majors
from mlflow_compose.data.upgrade.folder import DELETE_OLD, PUT_BACK, SET_ASIDE, Majors
from mlflow_compose.engines import Outcome
from mlflow_compose.errors import SettingsError, UpgradeError, UsageError
from mlflow_compose.identity import keep_identity
from mlflow_compose.record import read_record, write_record
from mlflow_compose.settings.server import PINNED_MLFLOW
from tests.unit.fakes import FakeEngine, FakeScreen
from tests.unit.samples import env_text, stack

OLD = "3.10.1"
POSTGRES = {"POSTGRES_IMAGE": "postgres:18.4"}


@dataclass
class Folder:
    """The folder of a stack that was started with some versions."""

    path: Path
    lines: list[str] = field(default_factory=list)

    @property
    def env_file(self) -> Path:
        return self.path / ".env"

    def plan(self, *lines: str, environ: Mapping[str, str] | None = None) -> Plan:
        self.env_file.write_text(env_text(*lines), encoding="utf-8")
        loaded, paths = read_settings(self.env_file, environ or {})
        plan = load_plan(loaded, paths, environ or {})
        keep_identity(plan.identity, paths)
        return load_plan(loaded, paths, environ or {})

    def started(self, *lines: str) -> None:
        plan = self.plan(*lines)
        record = read_record(plan.paths).started("docker", places_of(plan), plan.stack.volumes)
        write_record(record, plan.paths)
        record_versions(plan)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("started", "now", "options", "expected"),
    [
        # An older tool's default, then this one's.
        (f"MLFLOW_VERSION={OLD}", "", (None, None), (OLD, PINNED_MLFLOW, {})),
        (
            f"MLFLOW_VERSION={OLD}",
            f"MLFLOW_VERSION={OLD}",
            (None, None),
            (OLD, PINNED_MLFLOW, {"MLFLOW_VERSION": PINNED_MLFLOW}),
        ),
        (
            f"MLFLOW_VERSION={OLD}",
            "MLFLOW_VERSION=3.12.0",
            (None, None),
            (OLD, "3.12.0", {}),
        ),
        (
            f"MLFLOW_VERSION={OLD}",
            "MLFLOW_VERSION=3.12.0",
            ("3.13.0", None),
            (OLD, "3.13.0", {"MLFLOW_VERSION": "3.13.0"}),
        ),
        ("", "", (None, None), (PINNED_MLFLOW, PINNED_MLFLOW, {})),
        (
            "MLFLOW_VERSION=3.99.0",
            "MLFLOW_VERSION=3.99.0",
            (None, None),
            ("3.99.0", "3.99.0", {}),
        ),
    ],
)
def test_an_upgrade_must_lead_from_the_versions_of_the_data_to_the_wanted_ones(
    folder: Folder,
    started: str,
    now: str,
    options: tuple[str | None, str | None],
    expected: tuple[str, str, dict[str, str]],
) -> None:
    folder.started(*started.split())
    move = plan_upgrade(folder.plan(*now.split()), *options, {})
    found = (move.before["MLFLOW_VERSION"], move.after["MLFLOW_VERSION"], move.env.values)
    assert found == expected
    assert move.old.stack.mlflow_version == expected[0]
    assert move.new.stack.mlflow_version == expected[1]


def test_an_image_of_postgres_must_be_written_into_the_env_file(folder: Folder) -> None:
    folder.started("POSTGRES_IMAGE=postgres:16")
    move = plan_upgrade(folder.plan("POSTGRES_IMAGE=postgres:16"), None, "postgres:18.4", {})
    assert move.changes == {"POSTGRES_IMAGE": ("postgres:16", "postgres:18.4")}
    assert "POSTGRES_IMAGE=postgres:18.4\n" in move.env.after
    assert move.old.stack.service("postgres").image == "postgres:16"
    assert move.new.stack.service("postgres").image == "postgres:18.4"


@pytest.mark.parametrize(
    ("now", "options", "words"),
    [
        (f"MLFLOW_VERSION={PINNED_MLFLOW}", (OLD, None), "cannot be downgraded"),
        ("MLFLOW_IMAGE=mine:1", (PINNED_MLFLOW, None), "MLFLOW_IMAGE is set"),
        ("PG_HOST=db.lab", (None, "postgres:18.4"), "no PostgreSQL server that runs from an image"),
    ],
)
def test_an_impossible_upgrade_must_be_refused(
    folder: Folder, now: str, options: tuple[str | None, str | None], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        plan_upgrade(folder.plan(now), *options, {})


def test_a_wrong_version_must_be_named(folder: Folder) -> None:
    with pytest.raises(SettingsError, match="must be a release version"):
        plan_upgrade(folder.plan(), "latest", None, {})


def test_a_version_in_the_environment_must_not_be_overridden_in_vain(folder: Folder) -> None:
    environ = {"MLFLOW_VERSION": OLD}
    with pytest.raises(UsageError, match="MLFLOW_VERSION is set in the environment"):
        plan_upgrade(folder.plan(environ=environ), PINNED_MLFLOW, None, environ)


@pytest.mark.parametrize(
    ("started", "now", "words"),
    [
        (OLD, PINNED_MLFLOW, f"is of MLflow {OLD}, and MLFLOW_VERSION is {PINNED_MLFLOW}"),
        (OLD, "3.10.2", f"is of MLflow {OLD}"),
        (PINNED_MLFLOW, OLD, f"which MLflow {OLD} cannot read"),
    ],
)
def test_up_must_not_start_another_mlflow_on_existing_data(
    folder: Folder, started: str, now: str, words: str
) -> None:
    folder.started(f"MLFLOW_VERSION={started}")
    with pytest.raises(UpgradeError, match=words):
        check_mlflow(folder.plan(f"MLFLOW_VERSION={now}"))


@pytest.mark.parametrize("now", ["3.10.1", "3.10.0"])
def test_up_must_start_a_version_with_the_same_tables(folder: Folder, now: str) -> None:
    folder.started("MLFLOW_VERSION=3.10.1")
    check_mlflow(folder.plan(f"MLFLOW_VERSION={now}"))


def test_a_stack_that_was_never_started_must_have_no_versions(folder: Folder) -> None:
    plan = folder.plan()
    assert recorded(plan) == {}
    check_mlflow(plan)


def test_deleted_data_must_have_no_version(folder: Folder) -> None:
    folder.started(f"MLFLOW_VERSION={OLD}")
    plan = folder.plan()
    write_upgrading(plan.paths, interrupted(SAVING))
    down(plan, FakeEngine(plan.stack), FakeScreen(), volumes=True)
    assert recorded(plan) == {}
    check_not_upgrading(plan.paths)


def interrupted(stage: str) -> Upgrading:
    """Return an upgrade of MLflow that was interrupted."""
    new = {"MLFLOW_VERSION": PINNED_MLFLOW}
    return Upgrading(stage, "before-upgrade-1", {"MLFLOW_VERSION": OLD}, new, new, reloads=False)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (SAVING, "puts everything back as it was"),
        (CHANGING, "puts everything back as it was"),
        (PROVEN, "finishes it"),
    ],
)
def test_an_interrupted_upgrade_must_keep_other_commands_from_working(
    folder: Folder, stage: str, words: str
) -> None:
    paths = folder.plan().paths
    assert state_of_upgrade(paths) == ""
    write_upgrading(paths, interrupted(stage))
    assert words in state_of_upgrade(paths)
    with pytest.raises(UpgradeError, match=words):
        check_not_upgrading(paths)


def work(plan: Plan) -> Work:
    return Work(plan, lambda plan: FakeEngine(plan.stack), FakeScreen(), 5)


def test_an_upgrade_that_was_killed_before_it_changed_anything_must_be_forgotten(
    folder: Folder,
) -> None:
    line = f"MLFLOW_VERSION={OLD}"
    folder.started(line)
    plan = folder.plan(line)
    write_upgrading(plan.paths, interrupted(SAVING))
    settle(work(plan))
    assert upgrading(plan.paths) is None
    assert recorded(plan)["MLFLOW_VERSION"] == OLD
    assert f"{line}\n" in folder.env_file.read_text(encoding="utf-8")


def test_an_upgrade_that_was_killed_after_its_proof_must_be_finished(folder: Folder) -> None:
    folder.started(f"MLFLOW_VERSION={OLD}")
    plan = folder.plan(f"MLFLOW_VERSION={OLD}")
    write_upgrading(plan.paths, interrupted(PROVEN))
    # Killed once more, just before the file is gone.
    for _ in range(2):
        settle(work(plan))
        assert upgrading(plan.paths) is None
        assert recorded(plan)["MLFLOW_VERSION"] == PINNED_MLFLOW
        text = folder.env_file.read_text(encoding="utf-8")
        assert f"MLFLOW_VERSION={PINNED_MLFLOW}\n" in text
        assert OLD not in text
        write_upgrading(plan.paths, interrupted(PROVEN))


def test_a_damaged_journal_must_be_reported(folder: Folder) -> None:
    paths = folder.plan().paths
    write_upgrading(paths, interrupted(SAVING))
    (paths.state / "upgrading.json").write_text("{", encoding="utf-8")
    with pytest.raises(UpgradeError, match="cannot be read"):
        upgrading(paths)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("16\npostgres (PostgreSQL) 18.4 (Debian 18.4-1)\n", Majors(16, 18)),
        ("0\npostgres (PostgreSQL) 18.4\n", Majors(0, 18)),
    ],
)
def test_the_versions_of_data_and_image_must_be_read(printed: str, expected: Majors) -> None:
    found = majors(SaysEngine(stack(), says=printed))
    assert (found, found.differ) == (expected, expected.data == 16)


def test_an_image_without_postgres_must_be_named() -> None:
    with pytest.raises(UpgradeError, match="POSTGRES_IMAGE is no image of PostgreSQL"):
        majors(SaysEngine(stack(), says="16\nnginx\n"))


@dataclass
class SaysEngine(FakeEngine):
    """An engine whose commands print a text."""

    says: str = ""

    def run(self, *_: object, **__: object) -> Outcome:
        return Outcome(0, self.says.encode(), "")


def shell(script: str, data: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PGDATA": str(data)}
    subprocess.run(["sh", "-c", script], env=environ, check=True)


def test_a_data_folder_must_come_back_whenever_it_was_killed(tmp_path: Path) -> None:
    data, aside = tmp_path / "pgdata", tmp_path / "pgdata-old"
    data.mkdir()
    (data / "PG_VERSION").write_text("16")
    shell(PUT_BACK, data)
    for _ in range(2):
        shell(SET_ASIDE, data)
        assert not data.exists()
        assert (aside / "PG_VERSION").read_text() == "16"
    data.mkdir()
    # The new server has begun to write.
    (data / "PG_VERSION").write_text("18")
    shell(SET_ASIDE, data)
    for _ in range(2):
        shell(PUT_BACK, data)
        assert (data / "PG_VERSION").read_text() == "16"
        assert not aside.exists()
    shell(SET_ASIDE, data)
    shell(DELETE_OLD, data)
    shell(DELETE_OLD, data)
    assert not aside.exists()


def test_the_reason_of_a_failed_command_must_not_be_the_sql_that_follows_it() -> None:
    output = (
        "Traceback (most recent call last):\n"
        "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) table x already exists\n"
        "[SQL: \nCREATE TABLE x (\n)\n]\n(Background on this error at: https://sqlalche.me/e)\n"
    )
    assert reason(output).endswith("table x already exists")
    assert reason("one\ntwo\n") == "two"
    assert reason("") == "no output"


def test_the_versions_of_a_stack_must_be_those_that_it_can_know(folder: Folder) -> None:
    assert versions_of(folder.plan()) == {"MLFLOW_VERSION": PINNED_MLFLOW, **POSTGRES}
    assert versions_of(folder.plan("MLFLOW_IMAGE=mine:1")) == POSTGRES
    assert versions_of(folder.plan("BACKEND_STORE=sqlite")) == {"MLFLOW_VERSION": PINNED_MLFLOW}
