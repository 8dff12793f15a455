"""The parts of a bundle that is being made: kept if it is interrupted, deleted once it exists."""

import shutil
from pathlib import Path

from mlflow_compose.errors import BundleError, FilesError, UsageError

# Shows that a folder was created here, and may be deleted.
MARK = ".mlflow-compose-bundle"
WHEELS, IMAGES = "wheels", "images"


def parts_folder(bundle: Path) -> Path:
    """Return the folder of a bundle's parts, which exists afterwards.

    Raises:
        UsageError: The bundle exists already.
        BundleError: There is another folder in its place.
        FilesError: It cannot be created.
    """
    if bundle.exists() or bundle.is_symlink():
        raise UsageError(f"{bundle} exists already", hint="choose another name, or delete it")
    folder = bundle.with_name(f"{bundle.name}.parts")
    if folder.exists() and not (folder / MARK).exists():
        raise BundleError(
            f"{folder} is in the way: the parts of the bundle would be there",
            hint="choose another name for the bundle",
        )
    try:
        for name in (WHEELS, IMAGES):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / MARK).touch()
    except OSError as error:
        raise FilesError(f"{folder} cannot be created: {error.strerror}") from None
    return folder


def remove_parts(folder: Path) -> None:
    """Delete the parts of a bundle that exists now."""
    shutil.rmtree(folder, ignore_errors=True)
