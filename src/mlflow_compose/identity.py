"""The identity of a stack: a random id, created once and kept next to the env file.

Everything that belongs to a stack carries the id: containers, volumes, processes, data folders and
every answer of its tracking server. What does not carry it is not this stack's.
"""

import json
import re
import secrets
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.paths import STATE_DIR, StackPaths, write_state

ID_FILE = "id"
# Location of the stack when the id was last used: distinguishes a moved stack from a copied one.
PLACE_FILE = "place.json"
# Secret from which the server's keys are derived if the stack has no database password.
KEY_FILE = "key"
ID_BYTES, KEY_BYTES = 8, 32
ID_PATTERN = re.compile(r"[0-9a-f]{16}")
# In every response of the tracking server: the id, a slash, the project name.
HEADER = "mlflow-compose-stack"


@dataclass(frozen=True)
class Identity:
    """The id of a stack.

    Attributes:
        id: 16 hexadecimal digits.
        copied_from: Id of the stack that this folder is a copy of, empty if it is not a copy.
        key: Random secret that is stored with the id, empty if there is none.
        is_new: Whether the folder has no id yet.
        lost_key: Whether it had a key that is now missing.
    """

    id: str
    copied_from: str = ""
    key: str = field(default="", repr=False, compare=False)
    is_new: bool = field(default=False, compare=False)
    lost_key: bool = field(default=False, compare=False)

    def with_key(self) -> "Identity":
        """Return the same identity with a key, if the stack has one or is new."""
        if self.key or not self.is_new:
            return self
        return replace(self, key=secrets.token_hex(KEY_BYTES))


@dataclass(frozen=True)
class Location:
    """The location of a stack when its id was written.

    Attributes:
        env_file: Name of the env file.
        folder: Folder of the stack.
        inode: Inode of that folder, which a move keeps; a copy has another one.
        copied_from: Id of the stack that the folder was copied from, empty if it was not.
        has_key: Whether there is a key next to it.
    """

    env_file: str
    folder: str
    inode: int
    copied_from: str = ""
    has_key: bool = False


def load_identity(paths: StackPaths) -> Identity:
    """Return the identity of a stack; one without an id, or a copy, gets a new one.

    Nothing is written: `keep_identity` does that.

    Raises:
        UsageError: The folder belongs to the stack of another env file.
        FilesError: The id cannot be read, or the rendered files are elsewhere.
    """
    _check_folders(paths)
    found, key = read_id(paths.root), read_key(paths.root)
    if not found:
        return Identity(_new_id(), key=key, is_new=True)
    location = _read_location(paths)
    if location is None:
        return Identity(found, key=key)
    _check_env_file(location, paths)
    if _is_copy(location, paths, found):
        # The key belongs to the data, which may have been copied too.
        own, original = _new_id(), found
    else:
        own, original = found, location.copied_from
    return Identity(own, original, key, lost_key=location.has_key and not key)


def keep_identity(identity: Identity, paths: StackPaths) -> None:
    """Store the identity of a stack and its location.

    Raises:
        FilesError: A file cannot be written.
    """
    inode = paths.root.stat().st_ino
    location = Location(
        paths.env_file.name, str(paths.root), inode, identity.copied_from, bool(identity.key)
    )
    # The location first: an id without one counts as this folder's own, even in a copy.
    if location != _read_location(paths):
        write_state(paths, PLACE_FILE, json.dumps(vars(location), indent=2) + "\n")
    if identity.key and identity.key != read_key(paths.root):
        write_state(paths, KEY_FILE, f"{identity.key}\n")
    # Last: an id without a key means that the stack has a password instead.
    if identity.id != read_id(paths.root):
        write_state(paths, ID_FILE, f"{identity.id}\n")


def read_id(root: Path) -> str:
    """Return the id of the stack in a folder, empty if it has none.

    Raises:
        FilesError: The file is unreadable, or is not an id.
    """
    hint = "write the id back that compose/.env or the folders in local/data hold"
    return _read_digits(root / STATE_DIR / ID_FILE, 2 * ID_BYTES, hint)


def read_key(root: Path) -> str:
    """Return the key of the stack in a folder, empty if it has none.

    Raises:
        FilesError: The file is unreadable, or is not a key.
    """
    hint = "take it from a copy of the folder: stored secrets cannot be read without it"
    return _read_digits(root / STATE_DIR / KEY_FILE, 2 * KEY_BYTES, hint)


def _read_digits(path: Path, count: int, hint: str) -> str:
    """Return the hexadecimal digits in a file, empty if the file does not exist.

    Raises:
        FilesError: It is unreadable, or contains anything else.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FilesError(f"{path} is not a file")
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise FilesError(f"{path} cannot be read: {error.strerror}") from None
    if not re.fullmatch(rf"[0-9a-f]{{{count}}}", text):
        rule = f"is not a stack's {path.name}, which is {count} hexadecimal digits"
        raise FilesError(f"{path} {rule}", hint=hint)
    return text


def _read_location(paths: StackPaths) -> Location | None:
    path = paths.state / PLACE_FILE
    try:
        # Reading anything else, such as a pipe, might block.
        return Location(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
    except (OSError, ValueError, TypeError):
        # Without it, the id alone counts.
        return None


def _check_env_file(location: Location, paths: StackPaths) -> None:
    """Refuse a second env file in a folder: both would have the same rendered files and data."""
    name = paths.env_file.name
    if location.env_file != name and (paths.root / location.env_file).exists():
        raise UsageError(
            f"{paths.root} already belongs to the stack of {location.env_file}, so {name} cannot "
            "have its stack there",
            hint=f"move {name} to a separate folder",
        )


def _is_copy(location: Location, paths: StackPaths, found: str) -> bool:
    """Tell whether the folder is a copy of another folder that has the id, or may have it.

    The id belongs to the path that it was last used at, as long as that has a stack with this id.
    Otherwise, only a moved folder has the same inode. A folder on another disk may be the original
    or a copy; it counts as a copy, since a wrong guess could cost the original its data.
    """
    original = Path(location.folder)
    if original == paths.root:
        return False
    try:
        if read_id(original) == found:
            return not original.samefile(paths.root)
        original.stat()
    except FileNotFoundError:
        pass
    except (OSError, FilesError):
        # Not readable: another user's.
        return True
    return paths.root.stat().st_ino != location.inode


def _check_folders(paths: StackPaths) -> None:
    """Refuse links to folders elsewhere: a copy of the stack would share them."""
    for folder in (paths.compose, paths.local, paths.state):
        if folder.is_symlink():
            raise FilesError(
                f"{folder} is a link, but must be a folder of the stack",
                hint=f"move {folder.readlink()} to its place; folders in local/data may be links",
            )


def _new_id() -> str:
    return secrets.token_hex(ID_BYTES)
