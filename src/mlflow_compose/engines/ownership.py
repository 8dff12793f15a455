"""The owner of a data folder, by a note in it."""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

from mlflow_compose.engines.places import NOTE, OTHER_FOLDER, place_of
from mlflow_compose.errors import EngineError
from mlflow_compose.identity import ID_PATTERN
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.stack import Stack

# More than an id and the end of its line have.
NOTE_BYTES = 32
# What the system says of a link (the second: FreeBSD), and of a socket.
NOT_A_FILE = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EOPNOTSUPP})
# What to do if the data is the stack's own, which a copy cannot be told from.
TAKE_OVER = (
    "if this folder is that stack, restored, moved to another disk or without its "
    f"{STATE_DIR}: write that id into {STATE_DIR}/id and remove {STATE_DIR}/place.json"
)


def marked(folder: Path, names: Collection[str], identity: str) -> tuple[str, ...]:
    """Return the data folders that carry a stack's id.

    Args:
        folder: Folder of the stack's rendered files.
        names: Names of the folders, as those files spell them.
        identity: The id.
    """
    return tuple(name for name in sorted(names) if owner_of(place_of(folder, name)) == identity)


def check_held(folder: Path, names: Collection[str]) -> None:
    """Make sure that folders that carried the stack's id still do.

    Args:
        folder: Folder of the stack's rendered files.
        names: Names of the folders, as those files spell them.

    Raises:
        EngineError: One of them does not: its disk is not mounted, or the data is gone.
    """
    for name in sorted(names):
        place = place_of(folder, name)
        if not _has_note(place):
            real = Path(os.path.realpath(place))
            where = f"{place}, which is {real}," if real != place else f"{place}"
            raise EngineError(
                f"the data of this stack was in {where}, which does not hold it now",
                hint="if it is on another disk, mount it; mlflow-compose up --start-empty starts "
                "without the data",
            )


def _has_note(folder: Path) -> bool:
    try:
        (folder / NOTE).lstat()
    except PermissionError:
        # Whoever may look will see.
        return True
    except OSError:
        return False
    return True


def owner_of(folder: Path) -> str:
    """Return the stack id that a data folder carries, empty if there is none.

    Raises:
        EngineError: There is something else in the note's place.
    """
    note = folder / NOTE
    try:
        text = _read(note)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""
    # A full disk leaves an empty one.
    if text is None or not (text == "" or ID_PATTERN.fullmatch(text)):
        raise EngineError(
            f"{note} is not from mlflow-compose: it must be a file with 16 hexadecimal digits",
            hint=f"ls -l {note} shows it; delete it if no other stack uses {folder}",
        )
    return text


def _read(note: Path) -> str | None:
    """Return the text of a note, None if it is a link, a pipe or anything else but a file.

    Others may be able to write to a folder of data: what they put there is not followed, not
    waited for, and not read to its end.
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
    """Note the stack's id in an existing data folder.

    A folder that this user may not write to stays without: another user owns it.

    Args:
        folder: Data folder.
        identity: Id of its stack.
        copied_from: Id of the stack that this one is a copy of, whose note was copied too.

    Raises:
        EngineError: It is another stack's.
    """
    owner, note = owner_of(folder), folder / NOTE
    if owner == identity:
        return
    if owner and owner != copied_from:
        raise _others(folder, owner, OTHER_FOLDER)
    try:
        if owner or _is_empty(note):
            note.unlink()
        # "x" makes a new file: it follows no link that was put there meanwhile.
        with note.open("x", encoding="ascii") as stream:
            stream.write(f"{identity}\n")
    except PermissionError:
        return
    except FileExistsError:
        # This user may not read it, or another stack was faster.
        if (owner := owner_of(folder)) not in {"", identity}:
            raise _others(folder, owner, OTHER_FOLDER) from None


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
        raise _others(folder, owner, hint)


def _others(folder: Path, owner: str, hint: str) -> EngineError:
    return EngineError(
        f"{folder} holds the data of another stack (id {owner})",
        hint=f"{TAKE_OVER}; otherwise {hint}",
    )
