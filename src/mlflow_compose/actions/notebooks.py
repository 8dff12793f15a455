"""The folder of notebooks: it and everything in it belongs to the user."""

import os
import stat
import sys
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.actions.plan import Plan
from mlflow_compose.errors import FilesError
from mlflow_compose.paths import templates
from mlflow_compose.stack import Stack
from mlflow_compose.stack.components.jupyter import NAME, NOTEBOOKS

FIRST = "first-run.ipynb"
FOLDER_MODE = 0o755


def provide_notebooks(plan: Plan) -> None:
    """Create the folder of notebooks with a first one; never touch a folder that has files.

    Raises:
        FilesError: It cannot be created, or JupyterLab could not write to it.
    """
    if not plan.stack.has(NAME):
        return
    folder = plan.paths.root / NOTEBOOKS
    try:
        folder.mkdir(exist_ok=True, mode=FOLDER_MODE)
        is_new = not any(folder.iterdir())
        if is_new:
            _give_to_server(folder, plan.stack)
        _check_owner(folder, plan.stack)
        if is_new:
            _write_first(folder / FIRST)
            _give_to_server(folder / FIRST, plan.stack)
    except OSError as error:
        raise FilesError(
            f"{error.filename or folder} cannot be used for notebooks: {error.strerror}",
            hint=f"ls -ld {folder} shows its owner and mode",
        ) from None


def _write_first(path: Path) -> None:
    # Root must not write through a link that the folder's owner has just put there.
    with path.open("xb") as file:
        file.write((templates() / "jupyter" / FIRST).read_bytes())


def _user(stack: Stack) -> tuple[int, int] | None:
    """Return user and group of JupyterLab's container, None without one."""
    user, _, group = stack.service(NAME).user.partition(":")
    return (int(user), int(group)) if user else None


def _give_to_server(path: Path, stack: Stack) -> None:
    """Give what was just created to the user and the group that the container runs as."""
    user = _user(stack)
    if user and (machine.is_root() or user[0] == path.stat().st_uid):
        os.chown(path, *user, follow_symlinks=False)


def _check_owner(folder: Path, stack: Stack) -> None:
    """Make sure that the container may write to the folder."""
    # In Docker Desktop's VM, every user may write to shared folders.
    if not (user := _user(stack)) or sys.platform != "linux":
        return
    found = folder.stat()
    if found.st_uid == user[0] and found.st_mode & stat.S_IWUSR:
        return
    own = user if machine.is_root() else (os.getuid(), os.getgid())
    raise FilesError(
        f"{folder} is owned by another user (id {found.st_uid}), so JupyterLab cannot write to it",
        hint=f"sudo chown -R {own[0]}:{own[1]} {folder}",
    )
