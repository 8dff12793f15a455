"""The manifest of a folder: the digests of the files that this tool wrote into it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow_compose.errors import FilesError
from mlflow_compose.render.files import read, replace_file
from mlflow_compose.render.tree import FILE_MODE, File

MANIFEST = ".manifest.json"
MANIFEST_VERSION = 1


def read_manifest(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the digests of written files by path; two if writing was interrupted.

    Raises:
        FilesError: The manifest is damaged.
    """
    text = read(folder / MANIFEST)
    if text is None:
        return {}
    try:
        found = {path: tuple(digests) for path, digests in json.loads(text)["files"].items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _damaged(folder) from None
    if any(Path(path).is_absolute() or ".." in Path(path).parts for path in found):
        # The manifest may come from a clone, and files in it that are not rendered are deleted.
        raise _damaged(folder)
    return found


def write_manifest(files: Mapping[str, Sequence[str]], folder: Path, mode: int = FILE_MODE) -> None:
    """Write the manifest of a folder.

    Raises:
        OSError: It cannot be written.
    """
    manifest = {"version": MANIFEST_VERSION, "files": files}
    replace_file(folder / MANIFEST, File(json.dumps(manifest, indent=2) + "\n", mode))


def _damaged(folder: Path) -> FilesError:
    return FilesError(
        f"{folder / MANIFEST} is damaged",
        hint=f"remove {folder / MANIFEST} and the rendered files next to it, then try again",
    )
