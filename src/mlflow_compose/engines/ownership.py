"""Record in each data folder which stack owns it, and check it."""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

from mlflow_compose.engines.data_paths import NOTE, OTHER_FOLDER, data_path
from mlflow_compose.errors import EngineError
from mlflow_compose.identity import ID_PATTERN
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.stack import Stack

# Longer than an id and its newline.
NOTE_BYTES = 32
# Errors for a symbolic link (EMLINK: on FreeBSD) and for a socket.
NOT_A_FILE = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EOPNOTSUPP})
# What to do if the data is the stack's own: it cannot be distinguished from a copy.
TAKE_OVER = (
    "if this folder is that stack, restored, moved to another disk or without its "
    f"{STATE_DIR}: write that id into {STATE_DIR}/id and remove {STATE_DIR}/place.json"
)


def marked(folder: Path, names: Collection[str], identity: str) -> tuple[str, ...]:
    """Return the data folders that carry a stack's id.

    Args:
        folder: Folder of the stack's rendered files.
        names: Names of the folders, as those files spell them.
        identity: Stack id.
    """
    return tuple(name for name in sorted(names) if owner_of(data_path(folder, name)) == identity)


def check_held(folder: Path, names: Collection[str]) -> None:
    """Make sure that folders that carried the stack's id still do.

    Args:
        folder: Folder of the stack's rendered files.
        names: Names of the folders, as those files spell them.

    Raises:
        EngineError: One of them does not: its disk is not mounted, or the data is gone.
    """
    for name in sorted(names):
        path = data_path(folder, name)
        if not _has_note(path):
            real = Path(os.path.realpath(path))
            where = f"{path}, which is {real}," if real != path else f"{path}"
            raise EngineError(
                f"the data of this stack was in {where}, which no longer holds it",
                hint="if it is on another disk, mount it; mlflow-compose up --start-empty starts "
                "without the data",
            )


def _has_note(folder: Path) -> bool:
    try:
        (folder / NOTE).lstat()
    except PermissionError:
        # This user may not look, which does not mean that the note is missing.
        return True
    except OSError:
        return False
    return True


def owner_of(folder: Path) -> str:
    """Return the stack id that a data folder carries, empty if there is none.

    Raises:
        EngineError: The note is not a file with an id.
    """
    note = folder / NOTE
    try:
        text = _read(note)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""
    # A full disk leaves an empty note.
    if text is None or not (text == "" or ID_PATTERN.fullmatch(text)):
        raise EngineError(
            f"{note} is not from mlflow-compose: it must be a file with 16 hexadecimal digits",
            hint=f"ls -l {note} shows it; delete it if no other stack uses {folder}",
        )
    return text


def _read(note: Path) -> str | None:
    """Return the text of a note, None if it is not a regular file.

    Other users may be able to write to a data folder: a link there is not followed, a pipe does
    not block, and a large file is not read to its end.
    """
    # Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(note, flags)
    except OSError as error:
        if error.errno in NOT_A_FILE:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return os.read(handle, NOTE_BYTES).decode("ascii", errors="replace").strip()
    finally:
        os.close(handle)


def claim(folder: Path, identity: str, copied_from: str = "") -> None:
    """Write the stack's id into an existing data folder.

    A folder that this user may not write to is left without an id.

    Args:
        folder: Data folder.
        identity: Id of its stack.
        copied_from: Id of the stack that this one was copied from, along with its note.

    Raises:
        EngineError: It is another stack's.
    """
    owner, note = owner_of(folder), folder / NOTE
    if owner == identity:
        return
    if owner and owner != copied_from:
        raise _claimed_by_another(folder, owner, OTHER_FOLDER)
    try:
        if owner or _is_empty(note):
            note.unlink()
        # "x" only creates: it does not follow a link that was put there meanwhile.
        with note.open("x", encoding="ascii") as stream:
            stream.write(f"{identity}\n")
    except PermissionError:
        return
    except FileExistsError:
        # This user may not read the note, or another stack was faster.
        if (owner := owner_of(folder)) not in {"", identity}:
            raise _claimed_by_another(folder, owner, OTHER_FOLDER) from None


def _is_empty(note: Path) -> bool:
    return note.is_file() and not note.lstat().st_size


def check_claim(folder: Path, stack: Stack, hint: str) -> None:
    """Make sure that a folder belongs to this stack, or carries no id.

    Args:
        folder: Data folder; it may be missing.
        stack: Stack that uses it.
        hint: What to do if it really is another stack's.

    Raises:
        EngineError: It is another stack's.
    """
    owner = owner_of(folder)
    if owner and owner != stack.identity:
        raise _claimed_by_another(folder, owner, hint)


def _claimed_by_another(folder: Path, owner: str, hint: str) -> EngineError:
    return EngineError(
        f"{folder} holds the data of another stack (id {owner})",
        hint=f"{TAKE_OVER}; otherwise {hint}",
    )
