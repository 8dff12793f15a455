"""Shells complete commands, options, their choices and the services of a stack."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.samples import env_text

SCRIPT = Path(sys.executable).with_name("mlflow-compose")
# Completes as bash does when a user presses Tab after the words.
PRESS_TAB = """
eval "$(mlflow-compose completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
words=$(complete -p mlflow-compose); words=${words##*-F }
"${words%% *}" mlflow-compose
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> list[str]:
    """Return what bash offers after these words, of which the last is incomplete."""
    environ = {"PATH": f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "--norc", "-c", PRESS_TAB, "bash", "mlflow-compose", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ver"], ["verify"]),
        (["status", "--w"], ["--watch"]),
        (["up", "--engine", "d"], ["docker"]),
        (["env", "--format", "p"], ["powershell", "python"]),
        (["dvc", "i"], ["init"]),
        (["logs", "p"], ["postgres"]),
        (["logs", "mlflow", "b"], ["bucket-init"]),
    ],
)
def test_bash_must_offer_what_fits(tmp_path: Path, words: list[str], offered: list[str]) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert completed(tmp_path, *words) == offered
    assert sorted(tmp_path.iterdir()) == before


def test_without_a_stack_no_service_must_be_offered(tmp_path: Path) -> None:
    assert completed(tmp_path, "logs", "p") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_must_be_valid(tmp_path: Path, shell: str) -> None:
    if not (program := shutil.which(shell)):
        pytest.skip(f"{shell} is not installed")
    script = subprocess.run([SCRIPT, "completion", shell], capture_output=True, check=True).stdout
    file = tmp_path / "script"
    file.write_bytes(script)
    subprocess.run([program, "-n", str(file)], check=True)
