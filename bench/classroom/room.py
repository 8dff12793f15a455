"""A class as the benchmark needs it: a stack of this project, with seats."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import images
from bench.commands import free_ports, tool
from bench.docker import DockerStack, OurStack
from bench.load import Api
from bench.local import LocalStack
from mlflow_compose.actions.class_setup import NEW_STACK, SHARED
from mlflow_compose.settings import load
from mlflow_compose.stack.keys import seat_password

DOCKER, LOCAL = "docker", "local"
ENGINES = (DOCKER, LOCAL)
# Seconds in which all servers of a class have to be healthy.
PATIENCE = 900
# Ports for seats: a range above those of other programs, below those that the system gives away.
FIRST_PORT, LAST_PORT = 20000, 30000
SEAT = "seat-"
DATABASES = r"""
SELECT sum(pg_database_size(datname)) FROM pg_database
WHERE datname LIKE 'seat\_%' AND datname <> 'seat_template'
"""


@dataclass(frozen=True)
class Login:
    """What one participant was handed out."""

    seat: str
    api: Api


class Room:
    """A stack with a class; nothing runs before `create`."""

    def __init__(self, engine: str, mode: str, seats: int, folder: Path) -> None:
        """Write the settings of a stack into a folder."""
        first = free_range(seats)
        settings = {
            **images.base_images(),
            "STACK_ENGINE": engine,
            **NEW_STACK[mode],
            "MLFLOW_AUTH": "basic",
            "CLASS_SEAT_PORTS": f"{first}-{first + seats - 1}",
            "CLASS_PORT": str(free_ports(1)[0]),
        }
        self.mode, self.seats, self.first_port = mode, seats, first
        self.stack = (
            OurStack("class", settings, folder)
            if engine == DOCKER
            else LocalStack(settings, folder)
        )

    def prepare(self) -> None:
        """Build the image, or install the packages, so that only starts are measured."""
        self.stack.prepare()

    def create(self) -> Sequence[Login]:
        """Create the class and wait until all its servers are healthy; return the logins."""
        words = ("--seats", str(self.seats), "--wait-timeout", str(PATIENCE))
        mode = ("--shared",) if self.mode == SHARED else ()
        output = tool(*self.stack.env, "--json", "class", "create", *words, *mode)
        return self.logins(json.loads(output)["data"]["seats"])

    def logins(self, seats: Sequence[Mapping[str, str]]) -> Sequence[Login]:
        """Return the logins of seats, by the addresses that the command reported."""
        settings = load(Path(self.stack.environment_file), {}).settings
        return [
            Login(one["seat"], Api(one["url"], (one["seat"], seat_password(settings, one["seat"]))))
            for one in seats
        ]

    @property
    def addresses(self) -> Sequence[str]:
        """Addresses of the teacher's server and of each seat's, which get the first free ports."""
        ports = range(self.first_port, self.first_port + self.seats)
        return [self.stack.url, *(f"http://127.0.0.1:{port}" for port in ports)]

    def servers(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the first processes of what all seats share, and those of the seats."""
        found = self.stack.services()
        seats = [pid for name, pid in found.items() if name.startswith(SEAT)]
        shared = [pid for name, pid in found.items() if not name.startswith(SEAT)]
        return shared, seats

    def processes(self) -> Sequence[int]:
        """Return the first processes of the class, and those of the engine that work for it."""
        return [*self.stack.first_processes(), *self.stack.overhead()]

    def databases(self) -> int:
        """Return the bytes of the databases of all seats."""
        return int(self.stack.sql(DATABASES))

    def layers(self) -> int:
        """Return the bytes that the containers of all seats wrote; none without Docker."""
        if not isinstance(self.stack, DockerStack):
            return 0
        return sum(self.stack.written(SEAT).values())

    def down(self) -> None:
        """Stop the class and delete its data."""
        self.stack.down()


def free_range(count: int) -> int:
    """Return the first of several free ports in a row."""
    step = range(FIRST_PORT, LAST_PORT, count)
    return next(first for first in step if all(is_free(first + each) for each in range(count)))


def is_free(port: int) -> bool:
    """Return whether no program listens on a port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
