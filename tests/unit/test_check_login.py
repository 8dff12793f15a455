"""MLflow is not started where its database refuses it, and waits where it is only late."""

import runpy
import sys
from types import ModuleType

import pytest

from mlflow_compose.paths import templates

PATH = templates() / "compose" / "mlflow" / "check_login.py"


class OperationalError(Exception):
    """What psycopg2 raises."""


class Database:
    """A connection, or the reason why there is none."""

    def __init__(self, problem: str = "") -> None:
        self.problem = problem

    def connect(self, text: str) -> "Database":
        assert text.startswith("service=mlflow ")
        if self.problem:
            raise OperationalError(self.problem)
        return self

    def close(self) -> None:
        """Be closed."""


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("", 0),
        ('FATAL:  password authentication failed for user "u"\n', 1),
        ('FATAL:  database "d" does not exist\n', 1),
        ('FATAL:  role "u" does not exist\n', 1),
        ("FATAL:  the database system is starting up\n", 0),
        ("could not translate host name: Temporary failure in name resolution\n", 0),
        ("connection refused\n", 0),
    ],
)
def test_only_a_refusal_must_stop_the_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: str, code: int
) -> None:
    psycopg2 = ModuleType("psycopg2")
    vars(psycopg2).update(connect=Database(problem).connect, OperationalError=OperationalError)
    monkeypatch.setitem(sys.modules, "psycopg2", psycopg2)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(PATH), run_name="__main__")
    said = capsys.readouterr().err
    assert caught.value.code == code
    assert said == (f"PostgreSQL refuses MLflow: {problem}" if code else "")
