"""Adding a kind of service takes one module: every command of the tool then handles it."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from .conftest import MakeStack
from .docker_stack import DockerStack
from .forked import run_forked
from .local_stack import LocalStack
from .page import NAMES, PORT, PORTS, PROGRAM, secret_of, volume
from .running import WAIT_TIMEOUT, RunningStack, left_to_soak
from .small import SMALLEST
from .tool import Output, environment
from .waiting import free_ports

Tool = Callable[..., Output]
Ports = Mapping[str, int]


@pytest.fixture
def stack(make_stack: MakeStack) -> RunningStack:
    """Return a small stack, not started: the extended tool starts it."""
    return make_stack(**SMALLEST)


@pytest.fixture
def ports() -> Ports:
    """Return a port for each page."""
    return dict(zip(NAMES, free_ports(len(NAMES)), strict=True))


@pytest.fixture
def tool(stack: RunningStack, ports: Ports) -> Tool:
    """Return a function that runs the tool with one more kind of service."""
    env = environment(**{PORTS: ",".join(map(str, ports.values()))})

    def command(*arguments: str) -> Output:
        argv = (PROGRAM, *arguments)
        output = Output(argv, *run_forked(argv, folder=stack.folder, env=env, seconds=600))
        assert output.code == 0, output
        return output

    return command


def visits(ports: Ports) -> list[int]:
    """Visit each page, which must show its secret, and return the counters."""
    counts = []
    for name, port in ports.items():
        secret, _, count = requests.get(f"http://127.0.0.1:{port}", timeout=10).text.rpartition(" ")
        assert secret == secret_of(name)
        counts.append(int(count))
    return counts


def answers(port: int) -> bool:
    """Tell whether a process listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def has_data(stack: RunningStack, name: str) -> bool:
    """Tell whether a page's volume exists."""
    if isinstance(stack, LocalStack):
        return (stack.local_folder / "data" / volume(name)).exists()
    return volume(name) in stack.volumes()


def pages(output: Output) -> list[dict[str, Any]]:
    """Return the services of a command's JSON output that are pages."""
    return [dict(service) for service in output.data["services"] if service["name"] in NAMES]


def expect_ready(stack: RunningStack, tool: Tool, ports: Ports) -> None:
    """Start the stack, whose pages must be reported, healthy, and reachable from MLflow."""
    started = tool("up", "--json", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")
    for name, port in ports.items():
        assert started.data["urls"][name] == f"http://127.0.0.1:{port}"
    assert pages(started) == pages(tool("status", "--json"))
    assert [page["name"] for page in pages(started)] == [*NAMES]
    for page in pages(started):
        assert (page["state"], page["health"]) == ("running", "healthy")
    assert visits(ports) == [1, 1]
    name, port = next(iter(ports.items()))
    there = f"http://{name}:{PORT}" if stack.engine == "docker" else f"http://127.0.0.1:{port}"
    ask = f"import urllib.request; print(urllib.request.urlopen({there!r}).read().decode())"
    assert stack.execute("mlflow", "python", "-c", ask).strip() == f"{secret_of(name)} 2"


def start_again(stack: RunningStack, tool: Tool) -> None:
    """Start the stack; on Docker only its pages, whose volumes do not depend on MLflow."""
    if isinstance(stack, DockerStack):
        stack.compose("up", "--detach", "--wait", "--no-deps", *NAMES)
    else:
        tool("up", "--no-verify", f"--wait-timeout={WAIT_TIMEOUT}")


def expect_kept_by_migration(tool: Tool, ports: Ports) -> None:
    """Move the runs; the pages must be healthy afterwards and have counted all visits."""
    moved = tool("migrate-store", "--to", "postgres=postgres", "--json")
    assert moved.data["rows"]
    assert [page["health"] for page in pages(tool("status", "--json"))] == ["healthy"] * len(NAMES)
    assert visits(ports) == [4, 3]


@left_to_soak("pgAdmin and JupyterLab are such services")
def test_a_new_kind_of_service_must_behave_like_the_others(
    stack: RunningStack, tool: Tool, ports: Ports
) -> None:
    """Both engines share the function that decides what runs during a migration."""
    expect_ready(stack, tool, ports)
    tool("down")
    assert not any(map(answers, ports.values()))
    assert all(has_data(stack, name) for name in NAMES)
    start_again(stack, tool)
    assert visits(ports) == [3, 2]
    if stack.engine == "local":
        expect_kept_by_migration(tool, ports)
    tool("down", "--volumes", "--yes")
    assert not any(map(answers, ports.values()))
    assert not any(has_data(stack, name) for name in NAMES)
