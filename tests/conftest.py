"""Shared by all tests: the option that rewrites golden files, and markers of what a test needs."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from tests.kubernetes import cluster_trouble, helm_trouble
from tests.summary import pytest_runtest_makereport, pytest_terminal_summary

# Its hooks belong to this conftest, too.
__all__ = ["pytest_runtest_makereport", "pytest_terminal_summary"]

REQUIRE_DOCKER = "REQUIRE_DOCKER"
REQUIRE_K8S = "REQUIRE_K8S"
# Each process has its own stacks: more processes would need much memory.
MOST_PROCESSES = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write what is rendered now into tests/golden, compose/ and .env.example, "
        "and the tables that MLflow's migrations create into its schema.",
    )
    parser.addoption(
        "--keep-failed",
        action="store_true",
        help="Leave the stacks of failed tests running, and print how to inspect and remove them.",
    )
    parser.addoption(
        "--stack-profile",
        metavar="NAME",
        help="Run the end-to-end scenarios on stacks with this STACK_PROFILE.",
    )


def pytest_configure() -> None:
    """Handle Ctrl-C, which background jobs ignore, and so would all processes of the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the processes that `-n auto` starts: tests of stacks wait more than they compute."""
    return min(MOST_PROCESSES, 2 * (os.cpu_count() or 1))


# First, since pytest-xdist reads the marker in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file in one process unless they are grouped otherwise."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need what is not here; fail them if the environment requires it."""
    for required, reason in troubles(item):
        if os.environ.get(required) == "1":
            pytest.fail(f"{required}=1, and {reason}", pytrace=False)
        pytest.skip(reason)


def troubles(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Yield why a test cannot run here, with the variable that makes this a failure."""
    for marker, required, trouble in (
        ("docker", REQUIRE_DOCKER, docker_trouble),
        ("helm", REQUIRE_K8S, helm_trouble),
        ("kubernetes", REQUIRE_K8S, cluster_trouble),
    ):
        if item.get_closest_marker(marker) and (reason := trouble()):
            yield required, reason


@cache
def docker_trouble() -> str:
    """Return why Docker cannot be used here, or an empty string if it can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command, trouble in (
        (["docker", "compose", "version"], "there is no Docker Compose v2"),
        (["docker", "version"], "Docker's engine does not answer"),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return f"{trouble} ({' '.join(command)} failed)"
    return ""


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Return whether to rewrite golden files instead of comparing them."""
    return bool(request.config.getoption("--update-golden"))
