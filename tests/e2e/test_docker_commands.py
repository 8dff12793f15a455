"""How often the tool asks Docker."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from .docker_calls import DockerCalls
from .running import RunningStack, docker_only

# `Engine.check`, and a look at the containers.
CHECK = ["compose", "container list", "container inspect", "volume list"]
LOOK = ["container list", "container inspect"]


def without_waiting(commands: Sequence[str]) -> list[str]:
    """Leave out the looks at containers, every two seconds, while Compose starts services."""
    found = [*commands]
    while found[:2] == LOOK and found[2:3] != ["compose"]:
        del found[:2]
    return found


@docker_only("it counts docker commands")
def test_docker_must_not_be_asked_the_same_twice(shared: RunningStack, tmp_path: Path) -> None:
    """Each command takes some hundredths of a second, on a slow machine tenths."""

    def asked(command: str) -> list[str]:
        calls = DockerCalls(tmp_path / command)
        shared.tool(command, PATH=calls.path)
        return calls.commands

    assert sorted(asked("status")) == sorted(CHECK)
    proof = [*LOOK, "compose"]
    found = asked("verify")
    assert (sorted(found[:4]), found[4:]) == (sorted(CHECK), proof)
    found = asked("up")
    before = [*CHECK, "image inspect", *LOOK, "compose"]
    assert sorted(found[:8]) == sorted(before)
    assert without_waiting(found[8:]) == [*proof, *LOOK]


@docker_only("it counts docker commands")
@pytest.mark.usefixtures("cold_start")
def test_the_first_up_must_not_ask_docker_the_same_twice(first_calls: DockerCalls) -> None:
    found = first_calls.commands
    # There are no containers yet to inspect.
    assert sorted(found[:3]) == sorted({*CHECK} - {"container inspect"})
    # If this is the first stack of all tests, its images are built.
    del found[4 : found.index("container list", 4)]
    assert found[3:6] == ["image inspect", "container list", "compose"]
    assert without_waiting(found[6:]) == [*LOOK, "compose", *LOOK]
