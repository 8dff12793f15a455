"""A class as its participants and an attacker among them see it."""

import configparser
import json
from pathlib import Path
from typing import Any, NamedTuple

from .running import CONTENT, Run, RunningStack
from .tracking import Api
from .waiting import free_ports

ROSTER = "name;team\r\nÅda Løvelace;\r\nBob;Red\r\nCleo;Red\r\n李雷;\r\n"
SEATS = ("ada-lovelace", "red", "lilei")
PORTS = 40


class Seat(NamedTuple):
    """One seat, with everything that its server knows."""

    name: str
    url: str
    password: str
    database: str
    database_password: str
    bucket: str
    key: tuple[str, str]

    @property
    def api(self) -> Api:
        """MLflow's REST API, as the seat's person."""
        return Api(self.url, (self.name, self.password))


class Class(NamedTuple):
    """A running class in `seats` mode."""

    stack: RunningStack

    @property
    def folder(self) -> Path:
        """The folder of the rendered files."""
        target = "compose" if self.stack.engine == "docker" else "local"
        return self.stack.folder / target

    @property
    def seats(self) -> dict[str, Seat]:
        """The seats by name, in the order of the roster."""
        path = self.folder / "secrets" / "seats.json"
        known = {each["name"]: each for each in json.loads(path.read_text("utf-8"))["seats"]}
        pairs = [pair.split("=") for pair in self.stack.settings["CLASS_SEATS"].split()]
        return {name: self._seat(known[name], port) for name, port in pairs}

    def _seat(self, known: dict[str, Any], port: str) -> Seat:
        login = configparser.RawConfigParser()
        name = known["name"]
        login.read(self.folder / "secrets" / f"seat-{name}" / "basic_auth.ini", encoding="utf-8")
        return Seat(
            name,
            f"http://127.0.0.1:{port}",
            login["mlflow"]["admin_password"],
            known["database"],
            known["password"],
            known["bucket"],
            (known["key_id"], known["secret"]),
        )

    def expect(self, seat: Seat, run: Run) -> None:
        """Assert that a run of a seat is unchanged."""
        data = seat.api.get("runs/get", run_id=run.id)["run"]["data"]
        assert {each["key"]: each["value"] for each in data["metrics"]} == {"loss": run.loss}
        assert seat.api.artifact("GET", run.key).content == CONTENT


def prepared(stack: RunningStack) -> RunningStack:
    """Return a stack that a class can be made of."""
    first = free_ports(1)[0] % 20000 + 20000
    stack.write(
        CLASS_SEAT_PORTS=f"{first}-{first + PORTS}",
        CLASS_PORT=str(free_ports(1)[0]),
        STACK_PROFILE="small",
    )
    return stack


def open_class(stack: RunningStack, roster: Path) -> Class:
    """Make a class of a stack, and start it."""
    roster.write_text(ROSTER, encoding="utf-8-sig")
    prepared(stack).tool("class", "create", str(roster))
    return Class(stack)
