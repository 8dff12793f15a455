"""A new kind of service is one module: what the tool does with services, it does with that too."""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest
import requests

from .conftest import MakeStack
from .local_stack import LocalStack
from .page import NAME, PORT, VOLUME
from .running import WAIT_TIMEOUT, RunningStack, local_only
from .small import SMALLEST
from .tool import CHECKOUT, Said, environment, run
from .waiting import free_ports

Tool = Callable[..., Said]
SECRET = "a secret of the page"


@pytest.fixture
def stack(make_stack: MakeStack) -> RunningStack:
    """Return a small stack, not started; the tool that knows the page starts it."""
    return make_stack(**SMALLEST)


@pytest.fixture
def port() -> int:
    """Return a port for the page."""
    (found,) = free_ports(1)
    return found


@pytest.fixture
def tool(stack: RunningStack, port: int) -> Tool:
    """Return what runs the tool with one more kind of service."""
    path = os.pathsep.join((str(CHECKOUT / "src"), str(CHECKOUT)))
    env = environment(PYTHONPATH=path, PAGE_PORT=str(port))

    def command(*arguments: str) -> Said:
        argv = (sys.executable, "-m", "tests.e2e.page", *arguments)
        return run(*argv, folder=stack.folder, env=env)

    return command


def visits(port: int) -> int:
    """Visit the page, which must know its secret; return its count."""
    secret, _, count = requests.get(f"http://127.0.0.1:{port}", timeout=10).text.rpartition(" ")
    assert secret == SECRET
    return int(count)


def answers(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def has_data(stack: RunningStack) -> bool:
    """Tell whether the page's volume is there."""
    if isinstance(stack, LocalStack):
        return (stack.local_folder / "data" / VOLUME).exists()
    return VOLUME in stack.volumes()


def service(said: Said) -> dict[str, Any]:
    """Return what a command says of the page."""
    (found,) = (service for service in said.data["services"] if service["name"] == NAME)
    return dict(found)


def test_a_new_kind_of_service_must_live_as_the_others_do(
    stack: RunningStack, tool: Tool, port: int
) -> None:
    started = tool("up", "--json", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")
    assert started.data["urls"][NAME] == f"http://127.0.0.1:{port}"
    assert service(started) == service(tool("status", "--json"))
    assert (service(started)["state"], service(started)["health"]) == ("running", "healthy")
    assert visits(port) == 1
    there = f"http://{NAME}:{PORT}" if stack.engine == "docker" else f"http://127.0.0.1:{port}"
    ask = f"import urllib.request; print(urllib.request.urlopen({there!r}).read().decode())"
    assert stack.execute("mlflow", "python", "-c", ask).strip() == f"{SECRET} 2"

    tool("down")
    assert not answers(port)
    assert has_data(stack)
    tool("up", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")
    assert visits(port) == 3
    tool("down", "--volumes", "--yes")
    assert not answers(port)
    assert not has_data(stack)


@local_only("the same function decides what runs while data moves")
def test_a_new_kind_of_service_must_be_kept_while_data_moves(tool: Tool, port: int) -> None:
    tool("up", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")
    assert visits(port) == 1
    moved = tool("migrate-store", "--to", "postgres=postgres", "--json")
    assert moved.data["rows"]
    assert service(tool("status", "--json"))["health"] == "healthy"
    assert visits(port) == 2
