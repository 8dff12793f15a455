"""A port in use is detected before anything starts."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import MakeStack
from .docker_stack import DockerStack
from .running import RunningStack, docker_only, local_only

VARIABLES = {"mlflow": "MLFLOW_PORT", "s3": "MINIO_PORT", "console": "MINIO_CONSOLE_ADDRESS"}
PROCESS = local_only("processes are found the same way; on Docker, the console's port covers it")


@pytest.fixture(scope="module")
def never_up(_make_for_module: MakeStack) -> RunningStack:
    """Return a stack whose start always fails."""
    return _make_for_module()


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("mlflow", marks=PROCESS),
        pytest.param("s3", marks=PROCESS),
        pytest.param("console", marks=docker_only("rclone has no console")),
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", ""], ids=["loopback", "every address"])
def test_a_process_that_uses_a_port_must_be_named(
    never_up: RunningStack, what: str, address: str
) -> None:
    port = int(never_up.settings[VARIABLES[what]].removeprefix(":"))
    with listening(address, port):
        output = never_up.up(code=1)
    me = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    output.shows(f"port {port} is already in use by {me} (pid {os.getpid()})", VARIABLES[what])
    assert never_up.ids() == {}


@docker_only("it is about containers")
def test_a_container_that_uses_a_port_must_be_named(
    shared: DockerStack, stack: DockerStack
) -> None:
    stack.write(MLFLOW_PORT=shared.settings["MLFLOW_PORT"])
    output = stack.up(code=1)
    name = shared.containers()["mlflow"]["Name"].removeprefix("/")
    output.shows(f"is already in use by the container {name}")
    assert stack.ids() == {}


@local_only("addresses are checked before the engine is involved")
def test_a_bind_address_of_another_machine_must_be_reported(never_up: RunningStack) -> None:
    with never_up.changed(STACK_BIND_ADDRESS="192.0.2.1", MLFLOW_AUTH="basic"):
        output = never_up.up(code=2)
    output.shows(
        "STACK_BIND_ADDRESS must be an address of this machine, got 192.0.2.1", "hint: set"
    )
    assert never_up.ids() == {}


@contextmanager
def listening(address: str, port: int) -> Iterator[None]:
    """Listen on a port of this machine."""
    with socket.create_server((address, port)):
        yield
