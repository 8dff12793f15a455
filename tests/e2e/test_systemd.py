"""The units of `render --target systemd`, run by a real systemd."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_compose.stack.units import PREFIX

from .booted import Booted, booted
from .docker_stack import DockerStack
from .local_stack import LocalStack
from .running import SERVERS, RunningStack, docker_only, local_only
from .waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")


@pytest.fixture
def machine(stack: RunningStack, tmp_path: Path) -> Iterator[Booted]:
    """Return a systemd that runs nothing yet, and a stack that was started once."""
    with booted(tmp_path, f"{PREFIX}{stack.name}") as found:
        stack.up()
        yield found


def install(stack: RunningStack, machine: Booted) -> None:
    """Run what `render` prints."""
    for line in stack.tool("render", "--target", "systemd", "--json").data["install"]:
        if line.startswith("mlflow-compose"):
            stack.tool(*line.split()[1:])
        else:
            machine.run("sh", "-c", line)


def pids(machine: Booted) -> dict[str, int]:
    return {name: int(machine.show(f"{name}.service", "MainPID")) for name in SERVERS}


@local_only("Docker runs the containers, and they are in no unit")
def test_units_must_run_a_stack_and_keep_supervisord_away(
    stack: LocalStack, machine: Booted
) -> None:
    stack.log_run()
    run = stack.log_run()
    install(stack, machine)
    stack.expect(run)
    stack.verify()
    refused_while_units_run(stack, machine)
    before = pids(machine)
    for pid in before.values():
        machine.run("kill", "-9", str(pid))
    wait_until(lambda: restarted(machine), seconds=60, what="all servers were started again")
    wait_until(lambda: active(machine), seconds=60, what="all servers are healthy")
    stack.expect(run)
    machine.stop()
    assert [process.cmdline() for process in stack.processes()] == []
    assert {machine.show(f"{name}.service", "Result") for name in SERVERS} == {"success"}
    units_refuse_beside_supervisord(stack, machine)


def restarted(machine: Booted) -> bool:
    return {machine.show(f"{name}.service", "NRestarts") for name in SERVERS} == {"1"}


def active(machine: Booted) -> bool:
    states = [machine.show(f"{name}.service", "ActiveState") for name in SERVERS]
    return set(states) == {"active"}


def refused_while_units_run(stack: LocalStack, machine: Booted) -> None:
    """Check that no command starts, ends or deletes what units run."""
    before = pids(machine)
    for command in (("up",), ("down",), ("down", "--volumes", "--yes"), ("reset", "--yes")):
        stack.tool(*command, code=1).shows("systemd runs this stack", f"stop '{machine.prefix}.*'")
    assert pids(machine) == before


def units_refuse_beside_supervisord(stack: LocalStack, machine: Booted) -> None:
    """Check that units wait until supervisord has ended."""
    tool = (str(Path(sys.executable).with_name("mlflow-compose")), f"--env-file={stack.env_file}")
    machine.run(*tool, "up", "--no-verify")
    before = {process.pid for process in stack.processes()}
    machine.run("systemctl", "start", "--no-block", f"{machine.prefix}.target")
    wait_until(
        lambda: machine.show("postgres.service", "NRestarts") not in {"", "0", "1"},
        seconds=30,
        what="the unit was tried twice",
    )
    assert machine.show("postgres.service", "MainPID") == "0"
    assert before <= {process.pid for process in stack.processes()}
    machine.run(*tool, "down")
    wait_until(lambda: active(machine), seconds=60, what="units run the stack")
    machine.stop()


@docker_only("the units of services are another scenario")
def test_a_unit_must_run_the_containers(stack: DockerStack, machine: Booted) -> None:
    run = stack.log_run()
    install(stack, machine)
    stack.verify()
    stack.expect(run)
    machine.run("systemctl", "stop", f"{machine.prefix}.service")
    assert stack.containers() == {}
    machine.run("systemctl", "start", f"{machine.prefix}.service")
    stack.expect(run)
    machine.stop()
    assert stack.containers() == {}
