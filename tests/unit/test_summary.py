"""The last lines of a test run: tests by engine, skipped tests, kept stacks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import how_to_inspect
from tests.e2e.docker_stack import DockerStack
from tests.e2e.running import RunningStack
from tests.unit.samples import ROOT

SUITE = """
import pytest

@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "local"])
def engine(request):
    if request.node.name.startswith("test_seldom") and request.param == "local":
        pytest.skip("not on local: it is about containers")
    return request.param

def test_often(engine):
    pass

def test_seldom(engine):
    pass

def test_quick():
    pass

@pytest.mark.skip(reason="no IPv6")
def test_left_out():
    pass
"""


@pytest.mark.parametrize("processes", [(), ("-p", "xdist", "-n2")], ids=["one process", "two"])
@pytest.mark.parametrize("has_docker", [True, False])
def test_a_run_must_end_with_a_summary_of_executed_and_skipped_tests(
    tmp_path: Path, processes: tuple[str, ...], *, has_docker: bool
) -> None:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    markers = "[pytest]\nmarkers =\n  docker\n  xdist_group\n"
    (tmp_path / "pytest.ini").write_text(markers, encoding="utf-8")
    if has_docker:
        (tmp_path / "docker").write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / "docker").chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if name != "REQUIRE_DOCKER"}
    environ |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *processes],
        cwd=tmp_path,
        env={**environ, "PATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("ran", "left out"))]
    if has_docker:
        assert lines[0] == "ran 1 without an engine, 2 on docker, 1 on local"
    else:
        assert lines[0] == "ran 1 without an engine, 1 on local"
        assert lines.pop(2) == "left out 2 on docker: there is no docker command"
    assert lines[1:] == [
        "left out 1 without an engine: no IPv6",
        "left out 1 on local: they are about the other engine",
    ]


class Item:
    """The parts of a pytest item that stacks use."""

    def __init__(self, **values: object) -> None:
        self.funcargs = values


@pytest.fixture
def stack(tmp_path: Path) -> RunningStack:
    found = DockerStack.__new__(DockerStack)
    found.folder, found.name, found.is_shared = tmp_path, "e2e-1", True
    return found


def test_a_shared_stack_must_only_be_kept_for_tests_that_use_it(stack: RunningStack) -> None:
    assert stack.is_used_by(Item(shared=stack))  # type: ignore[arg-type]
    assert not stack.is_used_by(Item(shared=1))  # type: ignore[arg-type]
    stack.is_shared = False
    assert stack.is_used_by(Item())  # type: ignore[arg-type]


def test_the_summary_of_a_kept_stack_must_name_its_folder(stack: RunningStack) -> None:
    name, inspect, remove = how_to_inspect(stack).splitlines()
    assert name == "kept the stack e2e-1 on docker"
    assert re.search(rf"cd {stack.folder} && \S+mlflow-compose status$", inspect)
    assert re.search(r"mlflow-compose down --volumes --yes && rm -r ", remove)
