"""The wheels that `load` brought: with them, packages are installed without a network."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlflow_compose.errors import FilesError
from mlflow_compose.machine import is_alive, python_tag
from mlflow_compose.stack import Build, wheels_key

FOLDER = "wheels"


def wheels_folder(cache: Path, key: str) -> Path:
    """Return the folder of a build's wheels for this Python, which has all of them if it exists.

    Args:
        cache: Folder of installed packages.
        key: Key of the build.
    """
    return cache / FOLDER / f"{key}-{python_tag()}"


def offline_options(cache: Path, build: Build) -> tuple[str, ...]:
    """Return the options that install a build from these wheels, none if there are none."""
    folder = wheels_folder(cache, wheels_key(build))
    return ("--offline", "--no-index", "--find-links", str(folder)) if folder.is_dir() else ()


def write_wheels(folder: Path, wheels: Mapping[str, Iterable[bytes]]) -> None:
    """Write wheels into a folder that exists only once it has all of them.

    Args:
        folder: The folder.
        wheels: Contents by file name.

    Raises:
        FilesError: It cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        prefix = f".{folder.name}.{os.getpid()}."
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as found:
            new = Path(found) / "new"
            new.mkdir()
            for name, chunks in wheels.items():
                with (new / name).open("wb") as file:
                    file.writelines(chunks)
            _publish(new, folder)
    except OSError as error:
        raise FilesError(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            hint="set XDG_CACHE_HOME to a writable folder with 2 GB of free space",
        ) from None


def _publish(new: Path, folder: Path) -> None:
    """Move a new folder to its final path; one that exists gets its files."""
    try:
        new.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        for path in new.iterdir():
            path.replace(folder / path.name)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left."""
    for path in folder.parent.glob(f".{folder.name}.*.*"):
        number = path.name.split(".")[-2]
        if number.isdigit() and not is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)
