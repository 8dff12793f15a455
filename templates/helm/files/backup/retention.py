"""Which snapshots a job deletes: the oldest ones that jobs have taken, unless data was lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlflow_compose.data.backup.manifest import Manifest
from mlflow_compose.data.backup.snapshot import (
    Snapshot,
    default_name,
    of_stack,
    remove,
    surplus,
)


@dataclass(frozen=True)
class Retired:
    """What was deleted.

    Attributes:
        deleted: Names of snapshots.
        notes: Sentences about what is kept nevertheless.
    """

    deleted: Sequence[str]
    notes: Sequence[str]


def retire(top: Path, stack_id: str, keep: int, until: datetime) -> Retired:
    """Delete the oldest snapshots of a stack that jobs have taken.

    Args:
        top: Folder of snapshots.
        stack_id: Id of the stack.
        keep: Number of snapshots to keep, the newest.
        until: The current time. Later snapshots neither count nor are deleted: otherwise, one that
            was taken while the clock was wrong would be the newest for as long as it was ahead.
    """
    found = [*of_stack(top, stack_id)]
    notes = [*_later(found, until)]
    own = [each for each in found if each.manifest.when <= until and _is_of_a_job(each)]
    if not own:
        return Retired([], notes)
    newest = max(own, key=lambda each: each.manifest.when)
    old = surplus(own, newest.name, keep)
    if lost := [*_lost(newest, old)]:
        return Retired([], [*notes, *lost])
    for each in old:
        remove(each.folder)
    return Retired([each.name for each in old], notes)


def _is_of_a_job(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot has the name that jobs choose."""
    return snapshot.name == default_name(snapshot.manifest.when)


def _later(found: Sequence[Snapshot], until: datetime) -> Iterator[str]:
    """Yield a sentence if snapshots seem to be of the future."""
    if names := [each.name for each in found if each.manifest.when > until]:
        yield (
            f"not counted, because they are dated after this snapshot: {', '.join(names)}; "
            "a clock is or was wrong"
        )


def _lost(newest: Snapshot, old: Sequence[Snapshot]) -> Iterator[str]:
    """Yield a sentence for each store that is empty in the newest snapshot, and was not before."""
    for what, count in (("runs", _runs), ("artifacts", _objects)):
        have = [each.name for each in old if count(each.manifest)]
        if have and not count(newest.manifest):
            yield (
                f"no snapshot was deleted, because {newest.name} has no {what}, and older ones "
                f"have some: {', '.join(sorted(have))}"
            )


def _runs(manifest: Manifest) -> int:
    return manifest.database.rows.get("runs", 0)


def _objects(manifest: Manifest) -> int:
    return manifest.objects.count
