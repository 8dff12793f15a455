"""An unprivileged user with their own installation of the tool."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .tool import CHECKOUT, Output, environment, run
from .waiting import free_ports

NOBODY = "nobody"
# Root's Python may be in a folder that other users cannot access.
PYTHONS = (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3")
OLD_ENOUGH = "import sys, venv; sys.exit(sys.version_info < (3, 11))"


class Student:
    """Runs the tool as an ordinary user with a separate home folder.

    Attributes:
        home: Home folder, which contains all files of the user.
        stack: Folder of the user's stack.
        cache: Folder in which the tool caches installed packages.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.stack = home / "my stack"
        self.cache = home / "cache"
        self._tool = home / "venv" / "bin" / "mlflow-compose"
        for folder in (self.stack, self.cache):
            folder.mkdir()
        if is_root():
            for folder in (home, self.stack, self.cache):
                os.chown(folder, self.uid, -1)

    @property
    def uid(self) -> int:
        """User id."""
        return pwd.getpwnam(NOBODY).pw_uid if is_root() else os.getuid()

    def install(self, python: str) -> None:
        """Install the tool from the checkout like the README, but faster."""
        uv = (sys.executable, "-m", "uv", "--system-certs")
        run(*uv, "venv", "--python", python, str(self.home / "venv"))
        target = ("--python", str(self.home / "venv" / "bin" / "python"))
        locked = str(CHECKOUT / "requirements" / "tool.txt")
        run(*uv, "pip", "install", *target, "--require-hashes", "--requirement", locked)
        wheel = ("build", "--wheel", "--no-build-isolation", "--out-dir", str(self.home / "wheel"))
        run(*uv, *wheel, "--python", sys.executable, str(CHECKOUT))
        (built,) = (self.home / "wheel").glob("*.whl")
        run(*uv, "pip", "install", *target, "--no-deps", str(built))

    def init(self) -> None:
        """Write an `.env` for a stack on free ports."""
        mlflow, s3, database = free_ports(3)
        values = {
            "STACK_ENGINE": "local",
            "MLFLOW_PORT": mlflow,
            "MINIO_PORT": s3,
            "PG_PORT": database,
        }
        self.types("init", *(f"--set={name}={value}" for name, value in values.items()))

    def environ(self, **more: str) -> Mapping[str, str]:
        """Return the user's environment."""
        own = {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "UV_CACHE_DIR": str(self.home / "uv"),
            "TMPDIR": "/tmp",  # noqa: S108 - everybody's
        }
        return environment(**{**own, **more})

    def types(self, *arguments: str, code: int | None = 0, **more: str) -> Output:
        """Run one command line."""
        with self.started(*arguments, **more) as process:
            out, err = process.communicate(timeout=300)
        output = Output(arguments, process.returncode, out, err)
        assert code is None or output.code == code, f"expected exit code {code}: {output}"
        assert "Traceback" not in output.text, output
        return output

    @contextmanager
    def started(self, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Start one command line in a separate process group."""
        with subprocess.Popen(
            [str(self._tool), *arguments],
            cwd=self.stack,
            env=self.environ(**more),
            user=self.uid if is_root() else None,
            extra_groups=[] if is_root() else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            yield process


def is_root() -> bool:
    """Tell whether the tests run as root."""
    return os.getuid() == 0


def python_for_others() -> str | None:
    """Return a Python that an unprivileged user can run; None if there is no such Python."""
    for python in PYTHONS:
        user = pwd.getpwnam(NOBODY).pw_uid if is_root() else None
        try:
            done = subprocess.run(
                [python, "-c", OLD_ENOUGH], user=user, capture_output=True, check=False, cwd="/"
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None
