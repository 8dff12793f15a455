"""Unit files that are written and deleted, if they are the stack's own."""

from collections.abc import Collection, Mapping
from pathlib import Path

from mlflow_compose.boot.systemd import Manager, systemctl
from mlflow_compose.boot.words import owner_of
from mlflow_compose.errors import BootError
from mlflow_compose.files import write_whole

UNIT_MODE = 0o644


def check_owner(path: Path, identity: str) -> None:
    """Make sure that a unit file, if it exists, was written for this stack.

    Raises:
        BootError: It was not.
    """
    try:
        owner = owner_of(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError):
        owner = ""
    if owner != identity:
        raise BootError(
            f"{path} was not written for this stack, so it is left alone",
            hint="move it away, then run the same command again",
        )


def write_units(
    manager: Manager, texts: Mapping[str, str], enabled: str, *, now: bool = False
) -> None:
    """Write unit files, and enable one of them.

    Args:
        manager: Service manager.
        texts: Contents of the unit files by name.
        enabled: Name of the unit to enable.
        now: Whether to start that unit, too, again if it has been started.

    Raises:
        BootError: A file cannot be written, or systemd refuses.
    """
    for name, text in texts.items():
        path = manager.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text, UNIT_MODE)
        except OSError as error:
            raise BootError(f"{path} cannot be written: {error.strerror}") from None
    systemctl(manager.flags, "daemon-reload")
    systemctl(manager.flags, "enable", enabled)
    if now:
        systemctl(manager.flags, "restart", enabled)


def remove_units(
    manager: Manager, names: Collection[str], enabled: str, *, now: bool = False
) -> None:
    """Disable a unit, and delete unit files.

    Args:
        manager: Service manager.
        names: Names of the unit files.
        enabled: Name of the unit to disable, if it is one of them.
        now: Whether to stop that unit, too.

    Raises:
        BootError: systemd refuses.
    """
    if enabled in names:
        systemctl(manager.flags, "disable", enabled)
    if now and enabled in names:
        systemctl(manager.flags, "stop", enabled)
    for name in names:
        (manager.folder / name).unlink(missing_ok=True)
    systemctl(manager.flags, "daemon-reload")
