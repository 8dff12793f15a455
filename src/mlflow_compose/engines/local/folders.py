"""The data folders of a stack: create, check and delete them."""

import secrets
import shlex
import shutil
import stat
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.engines.data_paths import OTHER_FOLDER, check_is_folder, data_path
from mlflow_compose.engines.local.mounts import mounted_in
from mlflow_compose.engines.ownership import (
    TAKE_OVER,
    check_claim,
    check_held,
    claim,
    marked,
    owner_of,
)
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Stack, Volume

DATA = "data"
# Root's own folders are not accessible to the user that the database runs as: its data is here,
# and a link in the stack's folder points to it.
STATE = Path("/var/lib/mlflow-compose")
PASS_THROUGH = 0o711


@dataclass(frozen=True)
class Folders:
    """The folders of one stack's data.

    Attributes:
        stack: Stack that owns them.
        folder: Folder of its rendered files.
        copied_from: Id of the stack that this one was copied from, empty if it is not a copy.
    """

    stack: Stack
    folder: Path
    copied_from: str = ""

    @property
    def used(self) -> dict[Path, bool]:
        """The folders of services, and whether another user needs access to each of them."""
        return {
            self.folder / mount.target: bool(service.environment.get("RUN_AS"))
            for service in self.stack.services
            for mount in service.volumes
            if isinstance(mount, Volume)
        }

    @property
    def existing(self) -> tuple[Path, ...]:
        """The entries of the folder of data."""
        data = self.folder / DATA
        return tuple(sorted(data.iterdir())) if data.is_dir() else ()

    @property
    def names(self) -> Collection[str]:
        """The folders with data that must not be lost, as the rendered files spell them."""
        own = {f"{DATA}/{name}" for name in self.stack.data_volumes}
        return own | {*self.stack.folders}

    @property
    def marked(self) -> tuple[str, ...]:
        """The data folders that carry the stack's id."""
        return marked(self.folder, self.names, self.stack.identity)

    def check(self, held: Collection[str] = ()) -> None:
        """Make sure that no folder belongs to another stack or has disappeared.

        Args:
            held: Folders that carried the stack's id at its last start.

        Raises:
            EngineError: One of them belongs to another stack, or has disappeared.
        """
        for path in (self.folder / DATA, *self.used, *self._shared()):
            check_is_folder(path)
        for path in self.used:
            if owner_of(path) != self.copied_from or not _is_inside(path):
                check_claim(path, self.stack, _resolution(path))
        for path in self._shared():
            check_claim(path, self.stack, OTHER_FOLDER)
        check_held(self.folder, {*held} & {*self.names})

    def create(self) -> None:
        """Create missing folders, and write the stack's id into them.

        Raises:
            EngineError: One of them is another stack's.
        """
        self.check()
        (self.folder / DATA).mkdir(exist_ok=True, mode=stat.S_IRWXU)
        for path, needs_access in self.used.items():
            if not path.exists() and needs_access:
                path.symlink_to(_new_folder(path.name))
            path.mkdir(exist_ok=True, mode=stat.S_IRWXU)
            claim(path, self.stack.identity, self.copied_from)

    def claim_shared(self) -> None:
        """Write the stack's id into the user's folders, which exist once S3 runs."""
        for path in filter(Path.is_dir, self._shared()):
            claim(path, self.stack.identity)

    def _shared(self) -> Iterator[Path]:
        """Yield the user's folders, which a second stack could be configured to use."""
        for name in self.stack.folders:
            yield data_path(self.folder, name)

    def chosen(self, names: Container[str]) -> tuple[Path, ...]:
        """Return the existing folders of these names that `remove` deletes."""
        named = (path for path in self.existing if path.name in names)
        return tuple(path for path in named if not self._is_unmarked(path))

    def unmarked(self, names: Container[str]) -> tuple[Path, ...]:
        """Return the existing folders of these names that nothing shows to be the stack's."""
        named = (path for path in self.existing if path.name in names)
        return tuple(path for path in named if self._is_unmarked(path))

    def _is_unmarked(self, path: Path) -> bool:
        """Tell whether a folder carries no id, and is not one that a start would claim."""
        return path not in self.used and _is_inside(path) and not owner_of(path)

    def remove(self, names: Container[str], mounts: Collection[Path]) -> list[str]:
        """Delete data folders; return those outside of the stack's folder, which are kept.

        Args:
            names: Names of the folders.
            mounts: Mount points of this machine.

        Raises:
            EngineError: One of them is another stack's, has something mounted in it, or
                cannot be deleted.
        """
        chosen = self.chosen(names)
        for path in chosen:
            self._check_deletable(path)
        created = {path for path in chosen if not _is_inside(path) and self._is_created(path)}
        inside = [path for path in chosen if _is_inside(path)]
        _check_nothing_mounted([*inside, *(path.resolve().parent for path in created)], mounts)
        kept = []
        try:
            for path in chosen:
                if path in inside:
                    shutil.rmtree(path)
                elif path in created:
                    _remove_created(path)
                else:
                    kept += [str(path.resolve())] if path.exists() else []
                    if path.is_symlink():
                        path.unlink()
        except OSError as error:
            # Before Python 3.13, the error only has the last part of the path.
            raise EngineError(
                f"{path} cannot be deleted completely: {error.filename}: {error.strerror}",
                hint=f"ls -la {path}/ shows what is left; delete it by hand",
            ) from None
        return kept

    def _check_deletable(self, path: Path) -> None:
        owner = owner_of(path) if _is_inside(path) else ""
        if owner not in {"", self.stack.identity, self.copied_from}:
            raise EngineError(
                f"{path} holds the data of another stack (id {owner}), so nothing was deleted",
                hint=f"{TAKE_OVER}; otherwise move {path} somewhere else",
            )

    def _is_created(self, link: Path) -> bool:
        """Tell whether a link points to a folder that `create` created for this stack."""
        path = link.resolve()
        return (
            path.parent.parent == STATE and path.is_dir() and owner_of(path) == self.stack.identity
        )


def _is_inside(path: Path) -> bool:
    """Tell whether no part of a path is a link, so that its data is in the stack's folder."""
    return path.resolve() == path


def _resolution(path: Path) -> str:
    link = next((each for each in (path, *path.parents) if each.is_symlink()), None)
    if link:
        return f"rm {link} removes the link, and not the data"
    return f"move {path} somewhere else; the next up creates a new one"


def describe_kept(outside: Sequence[str], unmarked: Sequence[Path]) -> str:
    """Return a sentence about folders that were kept, empty if there are none.

    Args:
        outside: Folders outside of the stack's folder.
        unmarked: Folders that carry no id.
    """
    kept = []
    if outside:
        names = ", ".join(outside)
        kept.append(f"{names} is outside of the stack's folder and was kept; delete it by hand")
    if unmarked:
        names = ", ".join(map(str, unmarked))
        kept.append(f"{names} does not carry the stack's id and was kept")
    return "; ".join(kept)


def _new_folder(name: str) -> Path:
    path = STATE / secrets.token_hex(6) / name
    path.mkdir(parents=True, mode=stat.S_IRWXU)
    for parent in (STATE, path.parent):
        # Regardless of root's umask.
        parent.chmod(PASS_THROUGH)
    return path


def _check_nothing_mounted(folders: Collection[Path], mounts: Collection[Path]) -> None:
    """Make sure that only the stack's own data is deleted, and not what is mounted in it."""
    if found := [str(path) for path in mounted_in(folders, mounts)]:
        raise EngineError(
            f"a disk or another folder is mounted at {', '.join(found)}, so nothing was deleted",
            hint=f"to keep what is mounted there, run {shlex.join(['umount', *found])} "
            "and then the same command again; or delete the data by hand",
        )


def _remove_created(link: Path) -> None:
    path = link.resolve()
    shutil.rmtree(path)
    # Its parent was created for it; this fails if anything else is in there.
    path.parent.rmdir()
    link.unlink()
