"""What a chart does before it takes a snapshot: choose the tables, and try out the volume."""

import errno
import fcntl
import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest

from mlflow_compose.data.backup.dumped import SERVER, dump_options
from mlflow_compose.engines.inside.answer import Failure
from mlflow_compose.paths import sources, templates

HEADS = {"store/db_migrations": "dc11669786a5", "server/auth/db/migrations": "3da3e9b4a5a7"}
OLDER = "0a1b2c3d4e5f"
SCRIPT = sources("compose/mlflow")["schema/postgresql.sql"]
TABLES = re.findall(r"^CREATE TABLE (\w+)", SCRIPT, re.MULTILINE)


def program(name: str) -> ModuleType:
    """Return a program of the chart as a module."""
    path = templates() / "helm" / "files" / "backup" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Database:
    """A database that answers the queries of the first step, and its connection."""

    def __init__(self, tables: Sequence[str], revisions: Mapping[str, str]) -> None:
        self.tables, self.revisions = tables, revisions

    def connect(self) -> nullcontext["Database"]:
        return nullcontext(self)

    def exec_driver_sql(self, query: str) -> Any:  # noqa: ANN401 - a result of SQLAlchemy
        rows: Sequence[Any] = self.tables
        if query.startswith("SELECT version_num"):
            revision = self.revisions[query.rpartition(" ")[2]]
            rows = [revision] if revision else []
        elif query == SERVER:
            rows = [("public", "18.4 (Debian 18.4-1)")]
        return SimpleNamespace(
            one=lambda: rows[0], scalars=lambda: SimpleNamespace(all=lambda: rows)
        )


def scripts(folder: str) -> Any:  # noqa: ANN401 - a ScriptDirectory of Alembic
    """Return the migrations of the installed MLflow."""
    known = [SimpleNamespace(revision=each) for each in (HEADS[folder], OLDER)]
    return SimpleNamespace(walk_revisions=lambda: known, get_current_head=lambda: HEADS[folder])


Choose = Callable[..., dict[str, Any]]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Return a function that runs the first step; it returns the facts."""
    module = program("choose_tables")

    def run(tables: Sequence[str], **revisions: str) -> dict[str, Any]:
        database = Database(tables, revisions)
        fake = SimpleNamespace(open_database=lambda _: database, database_errors=nullcontext)
        monkeypatch.setattr(module, "tables", fake)
        monkeypatch.setattr(module.schema, "prepared", lambda _: SCRIPT)
        monkeypatch.setattr(module.own_tables, "main", lambda _: [*TABLES, "users", "roles"])
        monkeypatch.setattr(module, "version", lambda _: "3.17.2")
        monkeypatch.setattr(module, "migrations", scripts)
        module.choose({"backend_store": "postgresql+psycopg2:///?service=a", "folder": tmp_path})
        found: dict[str, Any] = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"))
        return found

    return run


def test_the_tables_and_their_revisions_must_be_handed_over(choose: Choose, tmp_path: Path) -> None:
    """The last step compares the dump with them."""
    login = ["alembic_version_auth", "users"]
    facts = choose(
        [*TABLES, *login, "orders"],
        alembic_version=HEADS["store/db_migrations"],
        # Older, because logins have been turned off: not migrated, and known.
        alembic_version_auth=OLDER,
    )
    assert facts["tables"] == sorted({*TABLES, *login})
    assert facts["revisions"] == {
        "alembic_version": HEADS["store/db_migrations"],
        "alembic_version_auth": OLDER,
    }
    arguments = (tmp_path / "arguments").read_text(encoding="utf-8").splitlines()
    assert arguments == [*dump_options("public", facts["tables"]), "postgresql:///?service=a"]
    assert "--strict-names" in arguments
    assert "--lock-wait-timeout=10min" in arguments


@pytest.mark.parametrize(
    ("revisions", "sentence"),
    [
        (
            {"alembic_version": "fedcba987654"},
            "runs and models are at revision fedcba987654, which MLflow 3.17.2 in mlflow.image do",
        ),
        (
            {"alembic_version": OLDER},
            f"at revision {OLDER}, and those of MLflow 3.17.2 in mlflow.image at dc11669786a5:",
        ),
        ({"alembic_version": ""}, "the table alembic_version has no revision"),
        (
            {"alembic_version": HEADS["store/db_migrations"], "alembic_version_auth": "fedcba98"},
            "the tables of logins are at revision fedcba98, which MLflow",
        ),
    ],
)
def test_a_database_of_another_version_must_be_refused(
    choose: Choose, tmp_path: Path, revisions: Mapping[str, str], sentence: str
) -> None:
    """It may have tables that this version of MLflow does not know."""
    with pytest.raises(Failure, match=re.escape(sentence)):
        choose([*TABLES, *revisions], **revisions)
    assert not [*tmp_path.iterdir()]


# --- the volume


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """Return a new volume, in which nothing may be left behind."""
    (tmp_path / "lost+found").mkdir()
    yield tmp_path
    assert [each.name for each in tmp_path.iterdir()] == ["lost+found"]


def refuse(number: int) -> Callable[..., NoReturn]:
    """Return a function that fails like a system call."""

    def call(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


def test_a_volume_must_be_tried_out(volume: Path) -> None:
    assert program("try_volume").try_volume({"backups": volume}) == {"hard_links": True}


def test_a_volume_without_locks_must_be_refused(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    sentence = "has no file locks, by which jobs wait for each other (No locks available)"
    with pytest.raises(Failure, match=re.escape(sentence)):
        program("try_volume").try_volume({"backups": volume})


def test_a_volume_without_hard_links_must_be_reported(
    volume: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    assert program("try_volume").try_volume({"backups": volume}) == {"hard_links": False}
    assert "has no hard links (Operation not permitted)" in capsys.readouterr().out


def test_a_volume_that_cannot_be_written_to_must_be_refused(tmp_path: Path) -> None:
    sentence = f"user {os.getuid()} cannot write to the volume of the claim backups: No such file"
    with pytest.raises(Failure, match=re.escape(sentence)):
        program("try_volume").try_volume({"backups": tmp_path / "none"})


# --- errors of the last step


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), "a: No space left on device"),
        (OSError(errno.ENOSPC, "No space", "source", None, "target"), "target: No space"),
        (OSError("not of the system"), "not of the system"),
    ],
)
def test_an_error_of_the_system_must_name_its_file_if_it_has_one(
    monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
) -> None:
    folder = templates() / "helm" / "files" / "backup"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    assert program("take_snapshot").sentence(error) == expected
