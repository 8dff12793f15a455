"""Count the artifacts of a stack by what can become of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlflow_compose.data.inside.fates import FREE, ORPHAN, Fates
from mlflow_compose.data.inside.layout import with_parents
from mlflow_compose.data.inside.listing import StoredObject
from mlflow_compose.data.inside.owners import MODEL, RUN, TRACE, Claim, Owner

# Names of what is freed, by the kind of owner.
FREED = {RUN: "deleted_runs", MODEL: "deleted_models", TRACE: "deleted_experiments"}


@dataclass
class Tally:
    """A number of objects and their size in bytes."""

    objects: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count an object."""
        self.objects += 1
        self.bytes += size


@dataclass
class Survey:
    """The artifacts of a stack.

    Attributes:
        fates: What decides about each.
        groups: Tallies by fate; those that can be freed by the names in FREED.
        experiments: Tallies of the objects in the database's experiments, by id.
        free: Objects to free, by their owner's id.
        orphans: Objects of runs, models and traces that no longer exist.
        missing: Claims that no object fulfils.
    """

    fates: Fates
    groups: dict[str, Tally] = field(default_factory=dict)
    experiments: dict[int, Tally] = field(default_factory=dict)
    free: dict[str, list[StoredObject]] = field(default_factory=dict)
    orphans: list[StoredObject] = field(default_factory=list)
    missing: list[Claim] = field(default_factory=list)

    def owners(self, fate: str, *kinds: str) -> Iterator[Owner]:
        """Yield the owners of some kinds that have a fate."""
        for owner in self.fates.known.owners.values():
            if owner.kind in kinds and self.fates.of(owner) == fate:
                yield owner


def survey(fates: Fates, objects: Iterable[StoredObject]) -> Survey:
    """Count all objects, and find those that are missing."""
    found = Survey(fates)
    claimed = {key for claim in fates.known.claims for key in claim.keys}
    present: set[str] = set()
    for stored in objects:
        present |= claimed.intersection(with_parents(stored.key))
        _count(found, stored)
    claims = fates.known.claims
    found.missing.extend(claim for claim in claims if present.isdisjoint(claim.keys))
    return found


def _count(found: Survey, stored: StoredObject) -> None:
    fate = found.fates.of_object(stored.key, stored.modified)
    _, owner = found.fates.owner_of(stored.key)
    if owner:
        found.experiments.setdefault(owner.experiment, Tally()).add(stored.size)
    group = FREED[owner.kind] if owner and fate == FREE else fate
    found.groups.setdefault(group, Tally()).add(stored.size)
    if owner and fate == FREE:
        found.free.setdefault(owner.id, []).append(stored)
    if fate == ORPHAN:
        found.orphans.append(stored)


def refers_to_none(found: Survey) -> bool:
    """Tell whether there are orphans, but no object that the database refers to.

    Then it is more likely another database than one whose every run was deleted.
    """
    return bool(found.orphans) and not found.experiments
