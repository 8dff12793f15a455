"""Tests pass next to a stack that runs on the default ports, and leave it alone."""

import subprocess

import pytest

from mlflow_compose.engines import check_ports
from mlflow_compose.errors import PortTakenError
from mlflow_compose.stack import Stack
from tests.unit.conftest import DEFAULT_PORTS
from tests.unit.fakes import FakeEngine
from tests.unit.samples import local_stack, stack


@pytest.mark.parametrize(
    "found", [stack(PG_PUBLISH="true"), local_stack()], ids=["docker", "local"]
)
def test_a_test_that_needs_a_default_port_must_fail_on_every_machine(found: Stack) -> None:
    """Otherwise it passes until its author runs `make up`."""
    assert {port.published for _, port in found.ports} <= DEFAULT_PORTS
    with pytest.raises(PortTakenError):
        check_ports(FakeEngine(found, held=frozenset()))


def test_a_test_that_uses_the_docker_engine_must_fail_on_every_machine() -> None:
    try:
        done = subprocess.run(["docker", "version"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no docker command")
    assert done.returncode != 0
