"""Run Python's console scripts in processes forked from one that has imported them.

Importing takes most of the time of a short command, and the tests run hundreds. Each still has a
process, an environment, a working directory and standard streams of its own.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from importlib import import_module
from multiprocessing.context import ForkServerContext
from pathlib import Path

# The modules with the `main` of each script.
SCRIPTS = {
    "mlflow-compose": "mlflow_compose.__main__",
    "mlflow-compose-with-pages": "tests.e2e.page",
    "supervisorctl": "supervisor.supervisorctl",
}
# All that they import, most of it only when needed.
PRELOADED = (
    *("mlflow_compose.cli", "mlflow_compose.actions", "python_on_whales", "boto3", "psutil"),
    *("supervisor.xmlrpc", "supervisor.supervisorctl", "tests.e2e.rendered", __name__),
)


def run_forked(
    argv: Sequence[str], *, folder: Path, env: Mapping[str, str], seconds: float
) -> tuple[int, str, str]:
    """Run a script with arguments; return its exit code, standard output and standard error.

    Raises:
        TimeoutError: It ran longer than `seconds`.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.NamedTemporaryFile("r")) for _ in ("out", "err")]
        names = [file.name for file in files]
        process = _server().Process(target=_run, args=([*argv], str(folder), {**env}, *names))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{' '.join(argv)} ran longer than {seconds} s")
        out, err = (file.read() for file in files)
        return process.exitcode, out, err


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    return context


def _run(argv: list[str], folder: str, env: dict[str, str], out: str, err: str) -> None:
    """Do what the script would, in the process that was forked."""
    files = (os.devnull, os.O_RDONLY), (out, os.O_WRONLY), (err, os.O_WRONLY)
    for number, (name, mode) in enumerate(files):
        os.dup2(os.open(name, mode), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    import_module(SCRIPTS[Path(argv[0]).name]).main()
