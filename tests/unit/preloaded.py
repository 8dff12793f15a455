"""Run code in processes forked from one that has imported what takes most of their time."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

# Forks a process for each line of standard input, and prints its exit code.
PROGRAM = """
import importlib, json, os, sys, traceback

for name in sys.argv[1:]:
    importlib.import_module(name)

def execute(request):
    for number, path in ((1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.path[:0] = request["path"]
    sys.argv = request["argv"]
    code = 1
    try:
        exec(request["code"], {"__name__": "__main__"})
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

for line in sys.stdin:
    child = os.fork() or execute(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Ended(NamedTuple):
    """The exit code of a process, and what it printed."""

    code: int
    out: str
    err: str


class Interpreter:
    """A Python that has imported some modules."""

    def __init__(self, requests: IO[str], answers: IO[str], folder: Path) -> None:
        self._requests = requests
        self._answers = answers
        self._files = [folder / "out", folder / "err"]

    def run(
        self, code: str, arguments: Sequence[str], environ: Mapping[str, str], path: Sequence[str]
    ) -> Ended:
        """Run code with arguments, an environment and folders of modules of its own."""
        out, err = map(str, self._files)
        request = {"code": code, "argv": ["-c", *arguments], "environ": dict(environ)}
        self._requests.write(
            json.dumps({**request, "path": [*path], "out": out, "err": err}) + "\n"
        )
        self._requests.flush()
        exit_code = int(self._answers.readline())
        return Ended(exit_code, *(file.read_text(encoding="utf-8") for file in self._files))


@contextmanager
def interpreter(folder: Path, environ: Mapping[str, str], *modules: str) -> Iterator[Interpreter]:
    """Start a Python that imports modules; keep the output of its processes in a folder."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *modules],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Interpreter(process.stdin, process.stdout, folder)
        process.stdin.close()
