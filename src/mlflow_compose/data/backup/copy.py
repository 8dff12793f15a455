"""Copy a snapshot into another folder of snapshots."""

import os
import shutil
import stat
from pathlib import Path

from mlflow_compose.data.backup.check import damaged
from mlflow_compose.data.backup.contents import FOLDER, link_or_copy
from mlflow_compose.data.backup.manifest import Manifest
from mlflow_compose.data.backup.snapshot import MODE, Snapshot, find, new
from mlflow_compose.errors import SnapshotError

FILE_MODE = 0o600
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def copy(snapshot: Snapshot, top: Path) -> Snapshot:
    """Copy a snapshot; on the same disk, the contents of objects are linked.

    Args:
        snapshot: The snapshot.
        top: Folder of snapshots that gets it.

    Raises:
        SnapshotError: It is damaged, or there is another snapshot with its name.
        FilesError: It cannot be written.
    """
    if (top / snapshot.name).exists():
        return existing(find(top, snapshot.name), snapshot.manifest, str(snapshot.folder))
    with new(top, snapshot.name) as folder:
        for path in sorted(snapshot.folder.rglob("*")):
            _copy(path, folder / path.relative_to(snapshot.folder), snapshot.name)
    return find(top, snapshot.name)


def existing(found: Snapshot, manifest: Manifest, source: str) -> Snapshot:
    """Return a snapshot that was brought here before.

    Raises:
        SnapshotError: It is another one.
    """
    if found.manifest != manifest:
        raise SnapshotError(
            f"{found.folder} is another snapshot than {source}, so it is not replaced",
            hint="rename that folder, then run the same command again",
        )
    return found


def _copy(path: Path, target: Path, name: str) -> None:
    # Also a link to a file: what it leads to may be secret, and is no part of the snapshot.
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise damaged(name, [path.name])
    if path.is_dir():
        target.mkdir(mode=MODE)
    elif FOLDER in target.parts[-3:-1] and _is_safe(path):
        link_or_copy(path, target)
    else:
        shutil.copyfile(path, target)
        target.chmod(FILE_MODE)


def _is_safe(path: Path) -> bool:
    """Tell whether only this user could change a file: what is linked changes in both places."""
    found = path.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & WRITABLE_BY_OTHERS
