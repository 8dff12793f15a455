"""Run the console script as a user would."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract import check_envelope

from .forked import run_forked

CHECKOUT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("mlflow-compose")
# A stack is configured by its .env only: settings in the tests' environment would override it.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
KEPT_PREFIXES = ("DOCKER_", "BUILDKIT_")


@dataclass(frozen=True)
class Output:
    """The output and the exit code of a command."""

    argv: Sequence[str]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Standard output followed by standard error."""
        return f"{self.out}{self.err}"

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON envelope, which must be the only standard output."""
        found: dict[str, Any] = json.loads(self.out)
        check_envelope(found)
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The `data` of the JSON envelope."""
        found: dict[str, Any] = self.envelope["data"]
        return found

    def shows(self, *words: str) -> None:
        """Assert that the output contains all these texts."""
        for word in words:
            assert word in self.text, f"not on the screen: {word}\n{self}"

    def __str__(self) -> str:
        return f"{' '.join(self.argv)} ended with {self.code}\n{self.text}"


def environment(**more: str) -> dict[str, str]:
    """Return the tests' environment without anything that could configure a stack."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_PREFIXES)
    }
    # As after an installation: the tool's hints show the name by which it is called.
    path = os.pathsep.join([str(SCRIPT.parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **more}


def run(
    *argv: str,
    code: int | None = 0,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    given: str | None = None,
    seconds: float = 600,
) -> Output:
    """Run a command until it exits.

    Args:
        argv: Command line.
        code: Expected exit code; None for any.
        folder: Working directory.
        env: Environment; default: `environment()`.
        given: Standard input, which is never a terminal.
        seconds: Timeout.
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
    output = Output(argv, done.returncode, done.stdout, done.stderr)
    assert code is None or output.code == code, f"expected exit code {code}: {output}"
    return output


def tool(
    *arguments: str,
    code: int | None = 0,
    folder: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> Output:
    """Run `mlflow-compose`, which must never print a traceback."""
    argv = (str(SCRIPT), *arguments)
    chosen = environment() if env is None else env
    output = Output(argv, *run_forked(argv, folder=folder, env=chosen, seconds=seconds))
    # Logs may have one of a server, such as JupyterLab's when a kernel ends while it answers.
    assert "logs" in arguments or "Traceback" not in output.text, output
    assert code is None or output.code == code, f"expected exit code {code}: {output}"
    return output
