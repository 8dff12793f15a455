"""A machine without any network: a namespace in which only loopback is up."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .student import NOBODY, python_for_others
from .tool import Output, environment, run
from .waiting import wait_until

NEEDED = ("ip", "setpriv")
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


@dataclass(frozen=True)
class OfflineMachine:
    """A machine without any network, on which an ordinary user works.

    Attributes:
        name: Name of the namespace.
        home: Home folder of the user.
        python: The machine's Python.
    """

    name: str
    home: Path
    python: str

    def run(
        self, *argv: str, folder: Path | None = None, code: int | None = 0, **more: str
    ) -> Output:
        """Run a command there."""
        user = pwd.getpwnam(NOBODY)
        own = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"), "TMPDIR": "/tmp"}  # noqa: S108
        # Not the tests' own programs.
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        as_user = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        output = run(
            *("ip", "netns", "exec", self.name, *as_user, *argv),
            folder=folder or self.home,
            code=code,
            env=environment(**{**own, **path, **more}),
        )
        assert "Traceback" not in output.text, output
        return output


def python_of_others() -> tuple[str, str]:
    """Return a Python that an unprivileged user can run, and its version."""
    python = python_for_others()
    if python is None:
        pytest.skip("no Python 3.11 or newer that an unprivileged user can run")
    return python, run(python, "-c", VERSION).out.strip()


@contextmanager
def offline_machine(python: str) -> Iterator[OfflineMachine]:
    """Provide a machine without any network while the block runs."""
    if os.geteuid() or not all(map(shutil.which, NEEDED)):
        pytest.skip("only root can create a network namespace")
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    # Not below pytest's folder, which is closed to others.
    home = Path(tempfile.mkdtemp(prefix="mlflow-compose-offline-"))
    # In memory, if possible: deleting thousands of files from a disk takes up to a minute.
    run("mount", "-t", "tmpfs", "-o", "size=4g,mode=0755", "tmpfs", str(home), code=None)
    shutil.chown(home, NOBODY)
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield OfflineMachine(name, home, python)
    finally:
        wait_until(lambda: has_killed_all(name), seconds=30, what="all processes have ended")
        run("ip", "netns", "delete", name)
        run("umount", str(home), code=None)
        shutil.rmtree(home)


def has_killed_all(name: str) -> bool:
    """Kill all processes in a namespace, and tell whether there were none.

    It takes less time than `down`, and nothing else is in there. Some start others when these end.
    """
    pids = run("ip", "netns", "pids", name).out.split()
    if pids:
        subprocess.run(["kill", "-9", *pids], stderr=subprocess.DEVNULL, check=False)
    return not pids
