"""Copy the objects of a stack into a snapshot, those that are new since the last one."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from mlflow_compose.clients.bucket import Listed
from mlflow_compose.data.backup.contents import Contents, digest
from mlflow_compose.data.backup.manifest import DAMAGED_HINT, Objects
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.errors import SnapshotError

FILE = "objects.jsonl"


# There may be millions of them in memory.
@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a snapshot.

    Attributes:
        key: Its key.
        size: Size in bytes.
        sha256: Digest of its content.
        type: Content type, empty if it was a file.
        mark: Text that changes with the content, where the object was.
    """

    key: str
    size: int
    sha256: str
    type: str
    mark: str


class Source(Protocol):
    """Where the objects of a stack are."""

    @property
    def kind(self) -> str:
        """What it is: s3 or folder."""

    def listed(self) -> Sequence[Listed]:
        """Return all objects."""

    def copied(self, wanted: Sequence[Listed], contents: Contents) -> Iterator[Stored]:
        """Store the contents of some objects; yield each that still exists."""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        objects: All objects of the snapshot.
        sent: Number of objects that were read.
        sent_bytes: Their size in bytes.
    """

    objects: Objects
    sent: int
    sent_bytes: int


def copy_objects(
    source: Source,
    folder: Path,
    previous: Snapshot | None,
    report: Callable[[str], None],
    rate: Rate,
) -> Copied:
    """Copy the objects into a snapshot's folder; link those that have not changed.

    Args:
        source: Where the objects are.
        folder: Folder of the new snapshot.
        previous: An earlier snapshot of the stack, None if there is none.
        report: Called with the progress.
        rate: Measures the rate.
    """
    contents = Contents(folder, Contents(previous.folder) if previous else None)
    listed = {each.key: each for each in source.listed()}
    found = _unchanged(listed, previous, contents)
    new = [*listed.values()]
    linked, sent_bytes = len(found), 0
    for done, stored in enumerate(source.copied(new, contents), start=1):
        found[stored.key] = stored
        sent_bytes += stored.size
        report(f"{done} of {len(new)} objects, {rate.text(sent_bytes)}")
    objects = _write_list(source.kind, folder / FILE, found)
    return Copied(objects, len(found) - linked, sent_bytes)


def read_list(file: Path) -> Iterator[Stored]:
    """Yield the objects of a snapshot."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield Stored(**json.loads(line))
            except (ValueError, TypeError):
                raise SnapshotError(f"{file} is damaged", hint=DAMAGED_HINT) from None


def _unchanged(
    listed: dict[str, Listed], previous: Snapshot | None, contents: Contents
) -> dict[str, Stored]:
    """Take the objects that are as they were in an earlier snapshot, and link their contents.

    Each is only once in memory, because it leaves those that are listed.
    """
    found: dict[str, Stored] = {}
    for before in read_list(previous.folder / FILE) if previous else ():
        each = listed.get(before.key)
        is_same = each and (before.size, before.mark) == (each.size, each.mark)
        if each and is_same and contents.link(before.sha256, before.size):
            del listed[each.key]
            # With the texts that are in memory already.
            kind = sys.intern(before.type)
            found[each.key] = Stored(each.key, each.size, before.sha256, kind, each.mark)
    return found


def _write_list(kind: str, file: Path, found: Mapping[str, Stored]) -> Objects:
    with file.open("w", encoding="utf-8") as lines:
        for key in sorted(found):
            lines.write(json.dumps(asdict(found[key])) + "\n")
    size = sum(stored.size for stored in found.values())
    return Objects(kind, file.name, digest(file), len(found), size)
