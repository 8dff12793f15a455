"""The console script, run as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract import check_envelope

CHECKOUT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("mlflow-compose")
# What a stack is told comes from its .env alone: settings in our own environment would win.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
KEPT_PREFIXES = ("DOCKER_", "BUILDKIT_")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    argv: Sequence[str]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that was on the screen."""
        return f"{self.out}{self.err}"

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON envelope; nothing else may be on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        check_envelope(found)
        return found

    @property
    def data(self) -> dict[str, Any]:
        """What the JSON envelope holds under `data`."""
        found: dict[str, Any] = self.envelope["data"]
        return found

    def shows(self, *words: str) -> None:
        """Make sure that words are on the screen."""
        for word in words:
            assert word in self.text, f"not on the screen: {word}\n{self}"

    def __str__(self) -> str:
        return f"{' '.join(self.argv)} ended with {self.code}\n{self.text}"


def environment(**more: str) -> dict[str, str]:
    """Return our environment without anything that could change a stack."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    # As after an installation: the tool's hints name it as it is called.
    path = os.pathsep.join([str(SCRIPT.parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **more}


def run(
    *argv: str,
    code: int | None = 0,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str | None = None,
    seconds: float = 600,
) -> Said:
    """Run a command to its end.

    Args:
        argv: The command.
        code: The exit code that it must have; None for any.
        folder: Where to run it.
        env: Its environment, ours without settings where None.
        given: Its standard input, which is never a terminal.
        seconds: After which it hangs.
    """
    done = subprocess.run(
        argv,
        cwd=folder,
        env=environment() if env is None else env,
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    said = Said(argv, done.returncode, done.stdout, done.stderr)
    assert code is None or said.code == code, f"expected exit code {code}: {said}"
    return said


def tool(
    *arguments: str,
    code: int | None = 0,
    folder: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> Said:
    """Run `mlflow-compose`; whatever happens, it must not show a traceback."""
    said = run(str(SCRIPT), *arguments, code=code, folder=folder, env=env, seconds=seconds)
    assert "Traceback" not in said.text, said
    return said
