"""A systemd of its own, in namespaces of this machine: it runs units, and nothing else."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from .tool import Output, environment, run
from .waiting import wait_until

SYSTEMD = Path("/lib/systemd/systemd")
CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--cgroup")
UNITS = "/etc/systemd/system"
# The units of this machine stay out: those of a boot would empty /tmp, for example.
VARIABLES = {"SYSTEMD_UNIT_PATH": UNITS, "container": "namespaces"}
# Becomes the first process of the namespaces. Docker's socket stays where clients look for it.
BOOT = f"""
set -eu
echo $$ >"$1/cgroup.procs"
shift
exec unshare {" ".join(NAMESPACES)} --fork --kill-child sh -c '
set -eu
mount --make-rprivate /
mount -t proc proc /proc
umount -R {CGROUPS}
mount -t cgroup2 cgroup2 {CGROUPS}
mkdir -p "$1"
mount --bind /run "$1"
mount -t tmpfs -o mode=755 tmpfs /run
if [ -S "$1/docker.sock" ]; then
    touch /run/docker.sock
    mount --bind "$1/docker.sock" /run/docker.sock
fi
mount -t tmpfs tmpfs {UNITS}
# Those that every unit depends on, without what they start.
for name in nothing sysinit basic shutdown; do
    printf "[Unit]\\nDescription=$name\\nDefaultDependencies=no\\n" >{UNITS}/$name.target
done
# Otherwise, units would not see their credentials.
mount --make-rshared /
exec {SYSTEMD} --system --unit=nothing.target --log-target=console --show-status=no
' sh "$@"
"""


@dataclass(frozen=True)
class Booted:
    """A running systemd.

    Attributes:
        pid: Its process id, as this machine sees it.
        prefix: What the names of the stack's units begin with.
    """

    pid: int
    prefix: str

    def run(self, *argv: str, code: int | None = 0, folder: Path | None = None) -> Output:
        """Run a command where it sees what units see of this machine."""
        enter = ("nsenter", f"--target={self.pid}", *NAMESPACES)
        inside = ("--wdns", str(folder)) if folder else ()
        return run(*enter, *inside, "--", *argv, code=code, env=environment(**VARIABLES))

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        full = f"{self.prefix}.{unit}"
        return self.run("systemctl", "show", "--value", f"--property={name}", full).out.strip()

    def stop(self) -> None:
        """Stop all units of the stack, and wait until their processes have ended."""
        self.run("systemctl", "stop", f"{self.prefix}.*")


@contextmanager
def booted(folder: Path, prefix: str) -> Iterator[Booted]:
    """Run a systemd for a stack's units while the block runs; skip where that is impossible."""
    if os.geteuid() or not SYSTEMD.exists() or not shutil.which("nsenter"):
        pytest.skip("only root can boot systemd in namespaces, with unshare and nsenter")
    if run("unshare", *NAMESPACES, "--fork", "true", code=None).code:
        pytest.skip("this machine does not allow new namespaces")
    group = _group()
    with (folder / "systemd.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", BOOT, "sh", str(group), str(folder / "run")],
            env=environment(**VARIABLES),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: bool(_first(process)), seconds=20, what="systemd has started")
        found = Booted(_first(process), prefix)
        running = ("systemctl", "is-active", "--quiet", "nothing.target")
        wait_until(
            lambda: not found.run(*running, code=None).code, seconds=20, what="systemd answers"
        )
        yield found
    finally:
        # With the first process of a namespace, all others end.
        for first in psutil.Process(process.pid).children() if process.poll() is None else ():
            first.kill()
        process.kill()
        process.wait()
        _remove(group)


def _group() -> Path:
    """Create the control group that is systemd's root."""
    unified = next((top for top in (CGROUPS, CGROUPS / "unified") if _is_unified(top)), None)
    if not unified:
        pytest.skip("this machine has no control groups of version 2")
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
    group = unified / own / f"systemd-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be created: {error}")
    return group


def _is_unified(top: Path) -> bool:
    return (top / "cgroup.controllers").exists()


def _first(process: "subprocess.Popen[bytes]") -> int:
    """Return the id of systemd, 0 until it runs."""
    assert process.poll() is None, "the namespaces could not be created: see systemd.log"
    children = psutil.Process(process.pid).children()
    return next((child.pid for child in children if child.name() == "systemd"), 0)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 10
    while group.exists() and time.monotonic() < deadline:
        try:
            for folder in sorted(group.rglob("*/"), reverse=True):
                folder.rmdir()
            group.rmdir()
        except OSError:
            time.sleep(0.1)
