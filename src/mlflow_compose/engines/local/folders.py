"""The data folders of a stack: their owner, and deleting exactly these."""

import secrets
import shutil
import stat
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.engines.ownership import (
    TAKE_OVER,
    check_claim,
    check_held,
    claim,
    marked,
    owner_of,
)
from mlflow_compose.engines.places import OTHER_FOLDER, check_there, place_of
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Stack, Volume

DATA = "data"
# Root's own folders are closed to the user that the database runs as: its data is here, and
# where it would be is a link.
STATE = Path("/var/lib/mlflow-compose")
PASS_THROUGH = 0o711


@dataclass(frozen=True)
class Folders:
    """The folders of one stack's data.

    Attributes:
        stack: Whose.
        folder: Folder of its rendered files.
        copied_from: Id of the stack that this one's folder is a copy of, empty if it is none.
    """

    stack: Stack
    folder: Path
    copied_from: str = ""

    @property
    def used(self) -> dict[Path, bool]:
        """The folders of services, and whether another user must reach each of them."""
        return {
            self.folder / mount.target: bool(service.environment.get("RUN_AS"))
            for service in self.stack.services
            for mount in service.volumes
            if isinstance(mount, Volume)
        }

    @property
    def there(self) -> tuple[Path, ...]:
        """What is in the folder of data."""
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
            held: The folders that carried the stack's id when it was started last.

        Raises:
            EngineError: One of them is.
        """
        for path in (self.folder / DATA, *self.used, *self._shared()):
            check_there(path)
        for path in self.used:
            if owner_of(path) != self.copied_from or not _is_inside(path):
                check_claim(path, self.stack, _way_out(path))
        for path in self._shared():
            check_claim(path, self.stack, OTHER_FOLDER)
        check_held(self.folder, {*held} & {*self.names})

    def make(self) -> None:
        """Create missing folders, and note the stack's id in them.

        Raises:
            EngineError: One of them is another stack's.
        """
        self.check()
        (self.folder / DATA).mkdir(exist_ok=True, mode=stat.S_IRWXU)
        for path, of_another in self.used.items():
            if not path.exists() and of_another:
                path.symlink_to(_new_place(path.name))
            path.mkdir(exist_ok=True, mode=stat.S_IRWXU)
            claim(path, self.stack.identity, self.copied_from)

    def claim_shared(self) -> None:
        """Note the stack's id in the user's folders, which exist once S3 runs."""
        for path in filter(Path.is_dir, self._shared()):
            claim(path, self.stack.identity)

    def _shared(self) -> Iterator[Path]:
        """Yield the user's folders, which a second stack could be configured to use."""
        for name in self.stack.folders:
            yield place_of(self.folder, name)

    def remove(self, names: Container[str]) -> list[str]:
        """Delete data folders; return those that are kept because they are elsewhere.

        Raises:
            EngineError: One of them is another stack's, or cannot be deleted.
        """
        chosen = [path for path in self.there if path.name in names]
        for path in chosen:
            self._check_deletable(path)
        made = {path for path in chosen if not _is_inside(path) and self._is_made_by_us(path)}
        kept = []
        try:
            for path in chosen:
                if _is_inside(path):
                    shutil.rmtree(path)
                elif path in made:
                    _remove_made(path)
                else:
                    kept += [str(path.resolve())] if path.exists() else []
                    if path.is_symlink():
                        path.unlink()
        except OSError as error:
            raise EngineError(f"{error.filename} cannot be deleted: {error.strerror}") from None
        return kept

    def _check_deletable(self, path: Path) -> None:
        owner = owner_of(path) if _is_inside(path) else ""
        if owner not in {"", self.stack.identity, self.copied_from}:
            raise EngineError(
                f"{path} holds the data of another stack (id {owner}), so nothing was deleted",
                hint=f"{TAKE_OVER}; otherwise move {path} somewhere else",
            )

    def _is_made_by_us(self, link: Path) -> bool:
        """Tell whether a link points to a folder outside that was created for this stack."""
        place = link.resolve()
        return (
            place.parent.parent == STATE
            and place.is_dir()
            and owner_of(place) == self.stack.identity
        )


def _is_inside(path: Path) -> bool:
    """Tell whether data really is in the stack's folder, without a link on the way."""
    return path.resolve() == path


def _way_out(path: Path) -> str:
    link = next((each for each in (path, *path.parents) if each.is_symlink()), None)
    if link:
        return f"rm {link} removes the link, and not the data"
    return f"move {path} somewhere else; the next up makes another one"


def in_words(kept: Sequence[str]) -> str:
    """Describe what was kept because it is outside of the stack's folder, empty if nothing was."""
    if not kept:
        return ""
    return f"{', '.join(kept)} is outside of the stack's folder and was kept; delete it by hand"


def _new_place(name: str) -> Path:
    place = STATE / secrets.token_hex(6) / name
    place.mkdir(parents=True, mode=stat.S_IRWXU)
    for parent in (STATE, place.parent):
        # Whatever root's umask is.
        parent.chmod(PASS_THROUGH)
    return place


def _remove_made(link: Path) -> None:
    place = link.resolve()
    shutil.rmtree(place)
    # Only the folder that was made around it, and only if nothing else is in it.
    place.parent.rmdir()
    link.unlink()
