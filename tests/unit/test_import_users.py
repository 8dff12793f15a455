"""`user import`: no password may be lost, whatever ends the command."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from mlflow_compose.actions import import_users as module
from mlflow_compose.actions.import_users import import_users
from mlflow_compose.payloads import as_json

if TYPE_CHECKING:
    from mlflow_compose.actions.users import People

NAMES = ["Ada", "Bob", "Cem"]


@dataclass
class Server:
    """Users in memory; adding the one named `stops` is interrupted."""

    stops: str = ""
    passwords: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def users(self) -> Iterator["Server"]:
        yield self

    def names(self) -> set[str]:
        return {*self.passwords}

    def add(self, name: str, password: str) -> None:
        if name == self.stops:
            raise KeyboardInterrupt
        self.passwords[name] = password


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("\n".join(NAMES), encoding="utf-8")
    return path


def rows(server: Server) -> list[str]:
    return ["login,password", *(f"{name},{word}" for name, word in server.passwords.items())]


def test_an_interrupt_must_leave_the_passwords_so_far(roster: Path) -> None:
    server = Server(stops="bob")
    result = import_users(cast("People", server), roster, None)
    assert (result.lines, result.exit_code) == (rows(server), 130)
    assert [each["login"] for each in as_json(result.data)["users"]] == ["ada"]


def test_passwords_that_cannot_be_written_must_be_printed(
    roster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, output = Server(), tmp_path / "passwords.csv"

    def full(stream: object, row: str) -> None:
        del stream, row
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    result = import_users(cast("People", server), roster, output)
    assert result.lines == rows(server)
    assert "No space left" in result.errors[0].message
    assert server.names() == {"ada"}


def test_a_file_must_get_every_password(roster: Path, tmp_path: Path) -> None:
    server, output = Server(), tmp_path / "passwords.csv"
    assert import_users(cast("People", server), roster, output).ok
    assert output.read_text(encoding="utf-8").splitlines() == rows(server)
    assert len(server.passwords) == len(NAMES)
