"""What is handed out to a seat, used as its people use it."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values

from .tool import Output, environment, run

RUN = re.compile(
    r"^(?P<url>http.*)/#/experiments/(?P<experiment>\d+)/runs/(?P<run>\w+)$", re.MULTILINE
)
# Logs a run with what the shell exported, and nothing else.
CLIENT = "import mlflow; print(mlflow.create_experiment('from-a-shell'))"


class FirstRun(NamedTuple):
    """The run that a program printed the address of."""

    url: str
    experiment_id: str
    id: str


class HandedOut(NamedTuple):
    """The folder of a seat, copied to the computer of its people."""

    folder: Path

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables of its `.env`."""
        found = dotenv_values(self.folder / ".env", interpolate=False)
        return {name: value or "" for name, value in found.items()}

    def check(self, *, code: int = 0, **environ: str) -> Output:
        """Run the program that checks the connection."""
        return self._python("check_client.py", code=code, **environ)

    def first_run(self) -> FirstRun:
        """Run the program that logs a first run."""
        return first_run_in(self._python("first_run.py"))

    def notebook(self) -> FirstRun:
        """Run all cells of the notebook, as Python does."""
        text = (self.folder / "first_run.ipynb").read_text(encoding="utf-8")
        cells = json.loads(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        return first_run_in(self._python("-c", "\n".join(code)))

    def shell(self) -> str:
        """Source the lines for bash, and create an experiment from there; return its id."""
        script = 'source connect.sh && exec "$1" -c "$2"'
        argv = ("bash", "-c", script, "-", sys.executable, CLIENT)
        return run(*argv, folder=self.folder, env=environment()).out.split()[-1]

    def _python(self, *argv: str, code: int = 0, **environ: str) -> Output:
        return run(sys.executable, *argv, code=code, folder=self.folder, env=environment(**environ))


def first_run_in(output: Output) -> FirstRun:
    """Return the run whose address a program printed last."""
    found = RUN.findall(output.out)
    assert found, str(output)
    return FirstRun(*found[-1])
