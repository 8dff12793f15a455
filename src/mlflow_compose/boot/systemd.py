"""The service manager that starts units at boot: that of the system, or that of a user."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.errors import BootError

# Has a file for each user whose manager starts at boot, instead of at the first login.
LINGERING = Path("/var/lib/systemd/linger")


@dataclass(frozen=True)
class Manager:
    """A service manager.

    Attributes:
        flags: Options of `systemctl` that choose it.
        folder: Folder of the units that its owner adds.
        wanted_by: Target that it reaches at boot.
        user: User whose manager it is, empty for that of the system.
    """

    flags: Sequence[str]
    folder: Path
    wanted_by: str
    user: str = ""

    @property
    def starts_at_boot(self) -> bool:
        """Whether it starts at boot, and not only once its user logs in."""
        return not self.user or (LINGERING / self.user).exists()


def manager_of(user: str, environ: Mapping[str, str], *, is_root: bool) -> Manager:
    """Return the manager that a user may add units to."""
    if is_root:
        return Manager(("--system",), Path("/etc/systemd/system"), "multi-user.target")
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return Manager(("--user",), Path(home) / "systemd" / "user", "default.target", user)


def own_manager(environ: Mapping[str, str]) -> Manager:
    """Return the manager that the user of this process may add units to."""
    # Not on Windows.
    import pwd

    user = os.geteuid()
    return manager_of(pwd.getpwuid(user).pw_name, environ, is_root=user == 0)


def has_systemd(manager: Manager) -> bool:
    """Tell whether a manager runs, and would start units."""
    try:
        return _run(manager.flags, ("daemon-reload",)).returncode == 0
    except BootError:
        return False


def systemctl(flags: Sequence[str], *arguments: str) -> None:
    """Run `systemctl`.

    Raises:
        BootError: There is no systemd, or it refuses.
    """
    done = _run(flags, arguments)
    if done.returncode:
        command = " ".join(["systemctl", *flags, *arguments])
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BootError(
            f"{command} failed: {lines[0]}",
            hint="without a running systemd, let your service manager run "
            "mlflow-compose up --no-verify at boot",
        )


def is_enabled(flags: Sequence[str], unit: str) -> bool:
    """Tell whether a unit is started at boot.

    Raises:
        BootError: There is no systemd.
    """
    return _run(flags, ("is-enabled", "--quiet", unit)).returncode == 0


def _run(flags: Sequence[str], arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - a list from this package
            ["systemctl", *flags, *arguments],  # noqa: S607 - found as users find it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        other = "a launchd job" if sys.platform == "darwin" else "your service manager"
        raise BootError(
            "systemctl was not found: only systemd can be told to start a stack at boot",
            hint=f"let {other} run mlflow-compose up --no-verify",
        ) from None
