"""Test distribution: all tests of a file run in one process, since they share costly fixtures."""

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.samples import ROOT

# Each test creates a file named after its own file and its process.
TEST = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    worker = os.environ["PYTEST_XDIST_WORKER"]
    pathlib.Path(f"{pathlib.Path(__file__).stem}.{worker}").touch()
"""


def test_the_tests_of_a_file_must_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    for name in ("test_one", "test_other"):
        (tmp_path / f"{name}.py").write_text(TEST, encoding="utf-8")
    own = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID")
    environ = {name: value for name, value in os.environ.items() if name not in own}
    environ["PYTHONPATH"] = str(ROOT)
    options = ("-p", "no:cacheprovider", "--numprocesses", "2", "--dist", "loadgroup")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", ".", *options],
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "12 passed" in done.stdout, done.stdout
    assert len(list(tmp_path.glob("test_*.gw*"))) == 2
