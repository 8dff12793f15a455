"""The units that start a stack at boot and back it up, which real `systemctl` enables.

systemd does not run in these tests; offline, `systemctl` works on the files alone.
"""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import MakeStack
from .local_stack import LocalStack
from .running import docker_only, local_only
from .small import SMALLEST
from .tool import run

# What systemd gives to a unit.
AT_BOOT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}


@pytest.fixture
def small(make_stack: MakeStack) -> LocalStack:
    """Return a small stack that runs."""
    stack = make_stack(**SMALLEST)
    assert isinstance(stack, LocalStack)
    stack.up()
    return stack


@pytest.fixture
def unit(small: LocalStack) -> Iterator[Path]:
    """Return the path of the stack's unit, which is installed and enabled."""
    if shutil.which("systemctl") is None or os.geteuid():
        pytest.skip("only root can enable units offline, with systemctl")
    found = Path(small.tool("service", "install", "--json", SYSTEMD_OFFLINE="1").data["unit"])
    yield found
    small.tool("service", "remove", code=None, SYSTEMD_OFFLINE="1")
    found.unlink(missing_ok=True)


def commands(unit: Path) -> dict[str, list[str]]:
    """Return the command lines of a unit."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line.startswith("Exec"))
    return {name: shlex.split(command) for name, _, command in pairs}


@local_only("Docker starts its containers itself")
def test_the_unit_must_bring_a_stack_back_after_a_restart_of_the_machine(
    small: LocalStack, unit: Path
) -> None:
    link = unit.parent / "multi-user.target.wants" / unit.name
    assert link.resolve() == unit
    run_id = small.api.post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    for number in ("suspend", "kill"):
        for process in (found := list(small.processes())):
            getattr(process, number)()
    psutil.wait_procs(found, timeout=10)
    run(*commands(unit)["ExecStart"], folder=Path("/"), env=AT_BOOT)
    small.wait_until_healthy("mlflow", seconds=5)
    assert small.api.get("runs/get", run_id=run_id)["run"]["info"]["run_id"] == run_id
    back_up_by_timer(small)
    run(*commands(unit)["ExecStop"], folder=Path("/"), env=AT_BOOT)
    assert list(small.processes()) == []
    small.tool("service", "remove", SYSTEMD_OFFLINE="1")
    assert not unit.exists()
    assert not link.is_symlink()


def back_up_by_timer(stack: LocalStack) -> None:
    """Schedule backups, and run what the timer starts, twice."""
    arguments = ("backup", "--every", "1d", "--keep", "1", "--json")
    timer = Path(stack.tool(*arguments, SYSTEMD_OFFLINE="1").data["unit"])
    link = timer.parent / "timers.target.wants" / timer.name
    try:
        assert link.resolve() == timer
        for _ in range(2):
            command = commands(timer.with_suffix(".service"))["ExecStart"]
            run(*command, folder=Path("/"), env=AT_BOOT)
        (snapshot,) = stack.tool("snapshots", "--json").data["snapshots"]
        assert (snapshot["complete"], snapshot["rows"]["runs"]) == (True, 1)
    finally:
        stack.tool("backup", "--every", "never", SYSTEMD_OFFLINE="1")
    assert [path for path in (link, timer, timer.with_suffix(".service")) if path.exists()] == []


@docker_only("the other engine has a unit of its own")
def test_with_docker_nothing_must_be_written(make_stack: MakeStack) -> None:
    stack = make_stack(**SMALLEST)
    before = sorted(Path("/etc/systemd").rglob("*"))
    found = stack.tool("service", "status", "--json").data
    assert (found["engine"], found["unit"]) == ("docker", None)
    stack.tool("service", "install", code=None)
    assert sorted(Path("/etc/systemd").rglob("*")) == before
