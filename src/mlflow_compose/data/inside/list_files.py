"""List the artifacts in a folder."""

import os
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import copy_folder, tables
from mlflow_compose.engines.inside.answer import Request, item

PART = 1000


def main(request: Request) -> None:
    """Report key, size and a text that changes with the content, for each file.

    Args:
        request: `folder`, and `backend`, which says whether there may be none; without it, there
            may.
    """
    if not request["backend"] and not os.path.lexists(request["folder"]):
        return
    with tables.database_errors():
        files = copy_folder.files_of(Path(request["folder"]), request["backend"])
    for part in tables.chunks(files.items(), PART):
        item([_listed(key, path) for key, path in part if path.exists()])


def _listed(key: str, path: Path) -> list[Any]:
    found = path.stat()
    # The time of the last change of the inode, unlike that of the content, cannot be set.
    return [key, found.st_size, f"{found.st_ino} {found.st_ctime_ns}"]
