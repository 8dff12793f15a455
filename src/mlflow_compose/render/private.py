"""Write a folder that only this user can read, and that holds nothing but what is written here."""

import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlflow_compose.errors import FilesChangedError, FilesError
from mlflow_compose.render.disk import file_errors, remove_empty
from mlflow_compose.render.files import digest, read, replace_file
from mlflow_compose.render.manifest import MANIFEST, read_manifest, write_manifest
from mlflow_compose.render.tree import File

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True)
class Written:
    """What a call changed, as paths relative to the folder."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]


def write_private(files: Mapping[str, str], folder: Path) -> Written:
    """Write files into a private folder, and remove those that an earlier call wrote.

    Files are never written or removed through a link below the folder, nor if they were edited.

    Args:
        files: Texts by path, relative to the folder.
        folder: The folder; a new one, an empty one, or one that was written here.

    Raises:
        FilesError: The folder holds other files, a link is in the way, or a file cannot be read or
            written.
        FilesChangedError: A file was edited by hand; nothing is written.
    """
    with file_errors(folder, "written"):
        known = read_manifest(folder)
        _check_folder(folder)
        stale = tuple(sorted(known.keys() - files.keys()))
        _check_links(folder, {*known, *files})
        _check_edited(folder, files, known)
        changed = tuple(path for path, text in files.items() if read(folder / path) != text)
        _make(folder)
        after = {path: (digest(text),) for path, text in sorted(files.items())}
        # If writing is interrupted, the manifest has the old and the new digest of each file.
        both = {
            path: tuple(dict.fromkeys((*known.get(path, ()), *after.get(path, ()))))
            for path in known | after
        }
        write_manifest(both, folder, PRIVATE_FILE)
        for path, text in files.items():
            for parent in reversed(PurePosixPath(path).parents[:-1]):
                _make(folder / parent)
            replace_file(folder / path, File(text, PRIVATE_FILE))
        for path in stale:
            (folder / path).unlink(missing_ok=True)
            remove_empty((folder / path).parent, folder)
        write_manifest(after, folder, PRIVATE_FILE)
    return Written(changed, stale)


def remove_private(folder: Path) -> tuple[str, ...]:
    """Remove the files that `write_private` wrote, and the folder if nothing else is in it.

    Files that were edited stay, and so does everything that was not written here.

    Returns:
        The paths of the files that were not removed.

    Raises:
        FilesError: A link is in the way, or a file cannot be removed.
    """
    with file_errors(folder, "removed"):
        known = read_manifest(folder)
        _check_links(folder, known)
        kept = _edited(folder, {}, known)
        for path in known.keys() - {*kept}:
            (folder / path).unlink(missing_ok=True)
            remove_empty((folder / path).parent, folder)
        if kept:
            write_manifest({path: known[path] for path in kept}, folder, PRIVATE_FILE)
        else:
            (folder / MANIFEST).unlink(missing_ok=True)
            if not folder.is_symlink():
                remove_empty(folder, folder.parent)
    return kept


def _check_folder(folder: Path) -> None:
    """Make sure that a folder is not one of the user's, which would be closed to others."""
    if folder.is_dir() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
        raise FilesError(
            f"{folder} is not empty, and not from this tool, so nothing was written",
            hint="choose a new folder with --output, or move this one away",
        )


def _check_links(folder: Path, paths: Iterable[str]) -> None:
    parts = {PurePosixPath(path) for path in paths}
    for part in sorted({each for path in parts for each in (path, *path.parents[:-1])}):
        if (folder / part).is_symlink():
            raise FilesError(
                f"{folder / part} is a link, so nothing was written",
                hint=f"remove it: rm {folder / part}",
            )


def _check_edited(
    folder: Path, files: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> None:
    if edited := _edited(folder, files, known):
        names = ", ".join(f"{folder.name}/{path}" for path in edited)
        raise FilesChangedError(
            f"{names} {'was' if len(edited) == 1 else 'were'} edited by hand, and would be "
            "overwritten or removed, so nothing was written",
            hint="move the edited file away and try again, or choose a new folder with --output",
        )


def _edited(
    folder: Path, files: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return the paths of files that have neither the old content nor the new one."""
    found = []
    for path in sorted({*files, *known}):
        current = read(folder / path)
        is_own = current is None or digest(current) in known.get(path, ())
        if not is_own and current != files.get(path):
            found.append(path)
    return tuple(found)


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER:
        folder.chmod(PRIVATE_FOLDER)
