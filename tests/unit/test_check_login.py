"""MLflow must not start if its database rejects the login, and must wait if it is starting."""

import runpy
import sys
from types import ModuleType

import pytest

from mlflow_compose.paths import templates

PATH = templates() / "compose" / "mlflow" / "check_login.py"


class OperationalError(Exception):
    """Stands in for psycopg2's exception."""


class Database:
    """A database that raises these errors before a connection works."""

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)

    def connect(self, text: str) -> "Database":
        assert text.startswith("service=mlflow ")
        if self.problems:
            raise OperationalError(self.problems.pop(0))
        return self

    def close(self) -> None:
        """Do nothing."""


STARTING = "FATAL:  the database system is starting up\n"
UNKNOWN = "could not translate host name: Temporary failure in name resolution\n"
REFUSED = "connection refused\n"


def check_login(monkeypatch: pytest.MonkeyPatch, database: Database, patience: float = 60) -> int:
    psycopg2 = ModuleType("psycopg2")
    vars(psycopg2).update(connect=database.connect, OperationalError=OperationalError)
    monkeypatch.setitem(sys.modules, "psycopg2", psycopg2)
    code: int = runpy.run_path(str(PATH))["main"](patience)
    return code


@pytest.mark.parametrize(
    "problem",
    [
        'FATAL:  password authentication failed for user "u"\n',
        'FATAL:  database "d" does not exist\n',
        'FATAL:  role "u" does not exist\n',
    ],
)
def test_a_rejected_login_must_stop_the_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    assert check_login(monkeypatch, Database(STARTING, problem)) == 1
    assert capsys.readouterr().err == f"PostgreSQL rejected MLflow's login: {problem}"


def test_the_server_must_wait_for_a_database_that_is_starting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(UNKNOWN, REFUSED, STARTING)
    assert check_login(monkeypatch, database) == 0
    assert database.problems == []
    assert capsys.readouterr().err == ""


def test_a_database_that_never_answers_must_be_left_to_mlflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_login(monkeypatch, Database(REFUSED, REFUSED), patience=0) == 0
    assert capsys.readouterr().err == f"waiting for PostgreSQL: {REFUSED}"
