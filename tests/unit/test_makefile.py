"""`make` must report missing requirements in one sentence, with a solution."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.samples import ROOT


@pytest.mark.parametrize(
    ("missing", "words"),
    [("ensurepip", "apt install python3-venv"), ("version_info", "Python 3.11 or newer is needed")],
)
def test_a_missing_feature_of_python_must_be_reported(
    missing: str, words: str, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    old = "import sys; sys.version_info = (3, 9)"
    # A Python that differs from ours in one respect.
    python.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *ensurepip*) [ {missing} = ensurepip ] && exit 1;; esac\n'
        f'[ {missing} = version_info ] && exec {sys.executable} -c "{old}; $2"\n'
        f'exec {sys.executable} "$@"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["make", f"PYTHON={python}", f"VENV={venv}", f"{venv}/.tool"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert not venv.exists()
