"""Real processes, for tests of code that searches processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MARK, HOME = "STACK_SERVICE", "STACK_FOLDER"
WAIT = "import sys; print('here', flush=True); sys.stdin.read()"


@contextmanager
def child(
    *command: str, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Run a process until the block ends; it prints a line once it has started.

    A thread collects its exit status as soon as it exits, so that it never remains a zombie.
    """
    with subprocess.Popen(
        command or (sys.executable, "-S", "-c", WAIT),
        env={"PATH": "/usr/bin:/bin", **(environ or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            yield process
        finally:
            process.kill()
            reaper.join()


def rooted(proc: Path, **roots: Path) -> Path:
    """Create a folder of processes as Linux has it, with their root directories; return it."""
    for process, root in roots.items():
        root.mkdir(exist_ok=True)
        link = proc / process.removeprefix("pid") / "root"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(root)
    return proc


def gone() -> int:
    """Return the pid of a process that has exited."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid
