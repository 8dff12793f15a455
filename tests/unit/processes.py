"""Real processes, for what looks at processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

MARK, HOME = "STACK_SERVICE", "STACK_FOLDER"
WAIT = "import sys; print('here', flush=True); sys.stdin.read()"


@contextmanager
def child(
    *command: str, environ: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that says when it is here, until the block ends.

    Whenever it ends, it is gone at once: as one whose parent takes note of that.
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


def gone() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid
