"""Decide which artifacts can be freed: from what the database knows, and from nothing else."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from mlflow_compose.data.inside.layout import id_in, with_parents
from mlflow_compose.data.inside.owners import TRACE, Known, Owner

# The most alive first: an object with several owners is kept for any of them.
LIVE, USED, RECENT, FREE = "live", "used", "recently_deleted", "free"
ALIVE = (LIVE, USED, RECENT, FREE)
ORPHAN, YOUNG, OTHER = "orphans", "young_orphans", "other"
# Clients log to it without naming it, so it stays.
DEFAULT_EXPERIMENT = 0


@dataclass(frozen=True)
class Limits:
    """Times in milliseconds since 1970.

    Attributes:
        deleted: What was deleted later can still be restored.
        orphans: Objects that were written later may belong to something that is being written.
    """

    deleted: int
    orphans: int


@dataclass(frozen=True)
class Fates:
    """What can be freed, at one moment.

    Attributes:
        known: What the database knows.
        limits: Grace times.
    """

    known: Known
    limits: Limits

    def of(self, owner: Owner) -> str:
        """Return the fate of a run, logged model or trace."""
        if owner.kind == TRACE:
            return FREE if owner.experiment in self.experiments else LIVE
        if not owner.is_deleted:
            return LIVE
        if owner.id in self.known.mentioned:
            return USED
        return FREE if self._is_old(owner.since) else RECENT

    @cached_property
    def experiments(self) -> frozenset[int]:
        """The deleted experiments that can be freed with everything in them."""
        old = {
            found.id
            for found in self.known.experiments.values()
            if found.is_deleted and found.id != DEFAULT_EXPERIMENT and self._is_old(found.since)
        }
        return frozenset(old - {owner.experiment for owner in self._kept_if_traces_go(old)})

    def _kept_if_traces_go(self, experiments: Collection[int]) -> list[Owner]:
        """Return what is kept in some experiments, if their traces are freed with them."""
        return [
            owner
            for owner in self.known.owners.values()
            if owner.experiment in experiments
            and (
                owner.id in self.known.mentioned if owner.kind == TRACE else self.of(owner) != FREE
            )
        ]

    def owner_of(self, key: str) -> tuple[str, Owner | None]:
        """Return the fate of an object by its owners, and the one that decides it."""
        parents = [*with_parents(key)]
        owners = [owner for parent in parents for owner in self._owners.get(parent, ())]
        decisive = min(owners, key=lambda owner: ALIVE.index(self.of(owner)), default=None)
        fate = self.of(decisive) if decisive else OTHER
        # A model version keeps the objects that it refers to, whatever became of their owner.
        if fate != LIVE and not self.known.used.isdisjoint(parents):
            fate = USED
        if decisive and fate == FREE and decisive.id not in key.split("/"):
            # An imported run may claim a folder that it shares with others.
            fate = OTHER
        return fate, decisive

    def of_object(self, key: str, modified: int) -> str:
        """Return the fate of an object.

        Args:
            key: Its key.
            modified: When it was written, in milliseconds since 1970.
        """
        fate, _ = self.owner_of(key)
        if fate != OTHER:
            return fate
        id_ = id_in(key, self._tops)
        if not id_ or id_ in self.known.owners:
            return OTHER
        if id_ in self.known.mentioned:
            return USED
        return ORPHAN if modified <= self.limits.orphans else YOUNG

    def _is_old(self, since: int | None) -> bool:
        return since is not None and since <= self.limits.deleted

    @cached_property
    def _owners(self) -> dict[str, list[Owner]]:
        """Owners by the keys of their locations."""
        found: dict[str, list[Owner]] = {}
        for owner in self.known.owners.values():
            for key in owner.keys:
                found.setdefault(key, []).append(owner)
        return found

    @cached_property
    def _tops(self) -> frozenset[str]:
        """Keys of the locations of experiments."""
        return frozenset(
            key for experiment in self.known.experiments.values() for key in experiment.keys
        )
