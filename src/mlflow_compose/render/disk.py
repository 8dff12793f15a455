"""Compare trees with the disk, and write them."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.errors import FilesChangedError, FilesError
from mlflow_compose.machine import what_shows_why
from mlflow_compose.paths import SECRETS_DIR
from mlflow_compose.render.files import diff, digest, read, read_bytes, replace_file, shown
from mlflow_compose.render.identity_file import with_identity, write_identity
from mlflow_compose.render.manifest import MANIFEST, read_manifest, write_manifest
from mlflow_compose.render.tree import Rendering, Tree

FOLDER_MODE = 0o755
SECRETS_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Change:
    """One file in which disk and tree differ.

    Attributes:
        path: Path relative to the tree's folder.
        action: Effect of writing: create, update or remove.
        by_hand: Whether the file on disk was not written by this tool.
        diff: Unified diff, line by line; empty for secrets.
    """

    path: str
    action: str
    by_hand: bool
    diff: tuple[str, ...] = ()


def changes(rendering: Rendering, folder: Path) -> tuple[Change, ...]:
    """Return the files in which the disk differs from the rendering.

    Raises:
        FilesError: A file cannot be read.
    """
    with file_errors(folder, "read"):
        secrets = list(_changes(rendering.secrets, folder / SECRETS_DIR))
        return (
            *_changes(rendering.files, folder),
            *_identity_changes(rendering.identity, folder),
            *(_open_folder(folder / SECRETS_DIR) if _has_secrets(rendering, folder) else ()),
            *(Change(f"{SECRETS_DIR}/{c.path}", c.action, c.by_hand) for c in secrets),
        )


def write(rendering: Rendering, folder: Path) -> tuple[Change, ...]:
    """Write the rendered files that differ; return the changes.

    Raises:
        FilesChangedError: A file was edited by hand; nothing is written.
        FilesError: A file cannot be read or written.
    """
    differing = changes(rendering, folder)
    for change in differing:
        if change.by_hand and change.path in rendering.identity:
            raise FilesChangedError(
                f"{folder / change.path} exists already, but Compose needs this name for the "
                "stack's id",
                hint="choose a folder without a file of that name",
            )
    if edited := [change.path for change in differing if change.by_hand]:
        raise _edited(edited, folder, rendering.override)
    with file_errors(folder, "written"):
        if rendering.secrets:
            _check_secrets_folder(folder / SECRETS_DIR)
        _write(rendering.files, folder, FOLDER_MODE)
        for path, file in rendering.identity.items():
            write_identity(folder / path, file)
        if _has_secrets(rendering, folder):
            _write(rendering.secrets, folder / SECRETS_DIR, SECRETS_FOLDER_MODE)
        for path in rendering.folders:
            (folder / path).mkdir(exist_ok=True, mode=stat.S_IRWXU)
    return differing


@contextmanager
def file_errors(folder: Path, action: str) -> Iterator[None]:
    """Report errors of the file system while files of a folder are read or written."""
    try:
        yield
    except OSError as error:
        raise FilesError(
            f"{error.filename or folder} cannot be {action}: {error.strerror}",
            hint=what_shows_why(error, folder),
        ) from None


def _has_secrets(rendering: Rendering, folder: Path) -> bool:
    return bool(rendering.secrets) or (folder / SECRETS_DIR / MANIFEST).exists()


def _check_secrets_folder(folder: Path) -> None:
    """Make sure that secrets can be protected without closing a folder of the user's."""
    if (folder / MANIFEST).exists() or not any(_open_folder(folder)) or not any(folder.iterdir()):
        return
    raise FilesError(
        f"{folder} is not from this tool, and secrets in it could be read by other users",
        hint=f"choose another folder, or move {folder} away",
    )


def _open_folder(folder: Path) -> Iterator[Change]:
    """Yield the secrets folder if its mode is wrong: it must protect files readable by everyone."""
    if folder.exists() and stat.S_IMODE(folder.stat().st_mode) != SECRETS_FOLDER_MODE:
        yield Change(folder.name, "update", by_hand=False)


def _changes(tree: Tree, folder: Path) -> Iterator[Change]:
    known = read_manifest(folder)
    for path, file in tree.items():
        current = read(folder / path)
        if current is None:
            yield Change(path, "create", by_hand=False, diff=diff("", file.text, path))
        elif current != file.text:
            by_hand = digest(current) not in known.get(path, ())
            yield Change(path, "update", by_hand, diff(current, file.text, path))
        elif stat.S_IMODE((folder / path).stat().st_mode) != file.mode:
            yield Change(path, "update", by_hand=False)
    for path in known.keys() - tree.keys():
        current = read(folder / path)
        if current is not None:
            by_hand = digest(current) not in known[path]
            yield Change(path, "remove", by_hand, diff(current, "", path))


def _identity_changes(tree: Tree, folder: Path) -> Iterator[Change]:
    """Yield changes of the file with the stack's id; one without an id is not from this tool."""
    for path, file in tree.items():
        current = read_bytes(folder / path)
        wanted = with_identity(current, file.text)
        if current is None or wanted is None or current != wanted:
            action = "create" if current is None else "update"
            lines = () if wanted is None else diff(shown(current or b""), shown(wanted), path)
            yield Change(path, action, wanted is None, lines)


def _write(tree: Tree, folder: Path, mode: int) -> None:
    before = read_manifest(folder)
    after = {path: (digest(file.text),) for path, file in sorted(tree.items())}
    # The user may choose the mode of an existing folder. Only that of folders with rendered files,
    # which containers read, is restored, for example after a clone with umask 077.
    _make_folder(folder, mode, is_own=mode == SECRETS_FOLDER_MODE)
    filled = {Path(path).parent for path in before}
    for parent in sorted({Path(path).parent for path in tree} - {Path()}):
        _make_folder(folder / parent, FOLDER_MODE, is_own=parent in filled)
    if any(digest(read(folder / path) or "") not in digests for path, digests in after.items()):
        # If writing is interrupted, the manifest has the old and the new digest of each file.
        both = {path: (*before.get(path, ()), *after.get(path, ())) for path in before | after}
        write_manifest(both, folder)
    for path, file in tree.items():
        replace_file(folder / path, file)
    for path in before.keys() - tree.keys():
        (folder / path).unlink(missing_ok=True)
        remove_empty((folder / path).parent, folder)
    write_manifest(after, folder)


def _make_folder(folder: Path, mode: int, *, is_own: bool) -> None:
    if is_own or not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        # Whatever the umask is: containers' users, who do not own the folder, need access.
        folder.chmod(mode)


def remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder below `top`, and those above it, as far as they are empty."""
    while folder != top and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _edited(paths: Sequence[str], folder: Path, override: str) -> FilesChangedError:
    names = ", ".join(f"{folder.name}/{path}" for path in paths)
    verb = "was" if len(paths) == 1 else "were"
    keep = f"keep the change in {folder.name}/{override}, " if override else ""
    return FilesChangedError(
        f"{names} {verb} edited by hand, and rendering would undo that",
        hint=f"{keep}remove the edited file and try again; mlflow-compose render --diff shows "
        "what differs",
    )
