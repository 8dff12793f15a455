"""The folder of snapshots: names, complete and incomplete ones, and how one becomes complete."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from mlflow_compose.data.backup.manifest import DAMAGED_HINT, FILE, Manifest, read_manifest
from mlflow_compose.data.backup.sums import write_sums
from mlflow_compose.errors import FilesError, SnapshotError, UsageError

# Not a path, not an option, and not hidden: hidden folders are incomplete snapshots.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PREFIX = ".partial-"
# In place of a stack's id, for half-deleted ones.
REMOVED = "removed"
INCOMPLETE = "incomplete: it is being taken, or that was interrupted; the next backup deletes it"
MODE = 0o700


@dataclass(frozen=True)
class Snapshot:
    """A snapshot on disk.

    Attributes:
        folder: Its folder, whose name is its own.
        manifest: What is in it.
    """

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Name of the snapshot."""
        return self.folder.name


class Described(Protocol):
    """A snapshot as a folder or as an archive."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def manifest(self) -> Manifest:
        """What is in it."""


T = TypeVar("T", bound=Described)


@dataclass(frozen=True)
class Damaged:
    """A folder that should be a snapshot, but is none.

    Attributes:
        name: Its name.
        reason: Why it is none.
    """

    name: str
    reason: str


def default_name(now: datetime) -> str:
    """Return the name of a snapshot that is taken now: the time in UTC, which sorts by age."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"


def check_name(name: str) -> str:
    """Return a name that a snapshot may have.

    Raises:
        UsageError: It may not.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"the name of a snapshot must be letters, digits and any of . _ -, got {name!r}"
        )
    return name


def snapshots(top: Path) -> Iterator[Snapshot | Damaged]:
    """Yield the snapshots of a folder by name, also incomplete ones and those that are damaged."""
    yield from (
        Damaged(each.name.removeprefix(PREFIX).partition(".")[2], INCOMPLETE)
        for each in partials(top)
    )
    for folder in sorted(top.iterdir()) if top.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink() and NAME.fullmatch(folder.name):
            try:
                yield Snapshot(folder, read_manifest(folder))
            except SnapshotError as error:
                yield Damaged(folder.name, error.message)


def find(top: Path, name: str) -> Snapshot:
    """Return a snapshot by its name.

    Raises:
        SnapshotError: There is none with this name, or it is damaged.
    """
    folder = top / check_name(name)
    if not folder.is_dir():
        raise SnapshotError(f"there is no snapshot {name} in {top}", hint=DAMAGED_HINT)
    return Snapshot(folder, read_manifest(folder))


def latest(top: Path, stack_id: str, until: datetime | None = None) -> Snapshot | None:
    """Return the newest snapshot of a stack, None if there is none.

    Args:
        top: Folder of snapshots.
        stack_id: Id of the stack.
        until: Time after which a snapshot does not count, None for any time.
    """
    own = (each for each in of_stack(top, stack_id) if until is None or each.manifest.when <= until)
    return max(own, key=lambda each: each.manifest.when, default=None)


def of_stack(top: Path, stack_id: str) -> Iterator[Snapshot]:
    """Yield the snapshots of a stack by name, without those that are damaged."""
    for each in snapshots(top):
        if isinstance(each, Snapshot) and each.manifest.stack_id == stack_id:
            yield each


@contextmanager
def new(top: Path, name: str, stack_id: str = "received") -> Iterator[Path]:
    """Provide a folder that becomes a snapshot at the end of the block, unless that fails.

    Raises:
        UsageError: There is one with this name.
        FilesError: It cannot be created.
    """
    final, partial = top / check_name(name), top / f"{PREFIX}{stack_id}.{name}"
    if final.exists():
        raise UsageError(f"there is a snapshot {name} in {top} already", hint="choose another name")
    try:
        top.mkdir(mode=MODE, exist_ok=True)
        # Left behind by commands that were killed: the stack's lock is held. Other stacks may
        # share the folder.
        for old in (*partials(top, stack_id), *partials(top, REMOVED)):
            remove(old)
        partial.mkdir(mode=MODE)
        try:
            yield partial
            # What is written must not be lost with the power: the name promises that it is there.
            os.sync()
            partial.rename(final)
        except BaseException:
            remove(partial)
            raise
    except OSError as error:
        # Of two files, it is the second one that is written.
        where = error.filename2 or error.filename or top
        raise FilesError(f"{where} cannot be written: {error.strerror}") from None


def describe(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a new snapshot, and the digests of its files, which exist already."""
    (folder / FILE).write_text(manifest.text, encoding="utf-8")
    write_sums(folder, manifest.files)


def surplus(found: Iterable[T], new_one: str, keep: int) -> list[T]:
    """Return the oldest of some snapshots, all but a number of the newest.

    Args:
        found: The snapshots.
        new_one: Name of the new one, which is kept whatever its time is.
        keep: Number of snapshots to keep, at least 1.
    """
    others = [each for each in found if each.name != new_one]
    others.sort(key=lambda each: each.manifest.when, reverse=True)
    return others[keep - 1 :]


def remove(folder: Path) -> None:
    """Delete a snapshot; half of one does not look like one."""
    if not folder.name.startswith("."):
        hidden = folder.with_name(f"{PREFIX}{REMOVED}.{folder.name}")
        remove(hidden)
        folder = folder.rename(hidden)
    if folder.is_dir():
        # A command of another stack may delete what is hidden at the same time.
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    else:
        # Half of an archive.
        folder.unlink(missing_ok=True)


def partials(top: Path, stack_id: str = "*") -> tuple[Path, ...]:
    """Return what commands that were killed left behind, of one stack or of all."""
    return tuple(sorted(top.glob(f"{PREFIX}{stack_id}.*")))
