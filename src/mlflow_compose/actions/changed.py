"""Find out whether changed settings hide data that the stack has."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.actions.ongoing import copied_to
from mlflow_compose.actions.plan import Plan
from mlflow_compose.errors import UsageError
from mlflow_compose.identity import Identity
from mlflow_compose.record import Record
from mlflow_compose.settings.stores import BUNDLED_POSTGRES, BUNDLED_S3, PLACES
from mlflow_compose.stack.stores import Location

# Names the volumes in Docker.
PROJECT = "compose_project_name"
# Stack that the places belong to: a copied folder contains the record of the original.
STACK_ID = "STACK_ID"
# Recorded only for a stack in a cluster.
CONTEXT = "KUBE_CONTEXT"


@dataclass(frozen=True)
class Change:
    """A stack whose settings name stores other than those that hold its data.

    Attributes:
        old: The stack as last started.
        new: Stack to start.
        is_copied: Whether a migration copied everything to the new stores and was interrupted
            after that.
    """

    old: Plan
    new: Plan
    is_copied: bool = False

    @property
    def runs(self) -> bool:
        """Whether the settings name another location for runs."""
        return self._differ(self.old.stack.stores.runs, self.new.stack.stores.runs)

    @property
    def artifacts(self) -> bool:
        """Whether the settings name another location for artifacts."""
        return self._differ(self.old.stack.stores.artifacts, self.new.stack.stores.artifacts)

    @property
    def renamed(self) -> bool:
        """Whether the volumes have another name in Docker."""
        old, new = self.old.stack, self.new.stack
        return old.site.in_containers and old.name != new.name

    @property
    def relocated(self) -> bool:
        """Whether the volumes are in another cluster or namespace."""
        return self.old.stack.site.namespace != self.new.stack.site.namespace

    def _differ(self, old: Location, new: Location) -> bool:
        moved = self.renamed or self.relocated
        return old.key != new.key or (moved and not old.external)

    @property
    def names(self) -> Mapping[str, tuple[str, str]]:
        """The changed settings with their old and new values."""
        before, now = places_of(self.old), places_of(self.new)
        # Ports of bundled servers may differ: they do not locate the data.
        own = {"PG_PORT": "PG_HOST", "MINIO_PORT": "MINIO_HOST"}
        return {
            name: (_text(before[name]), _text(now[name]))
            for name in before
            if before[name] != now[name]
            and (name not in own or before[own[name]] not in {BUNDLED_POSTGRES, BUNDLED_S3})
        }


def places_of(plan: Plan) -> dict[str, object]:
    """Return the settings that locate a stack's data, by name, and the stack's id."""
    settings = plan.loaded.settings
    names = (*PLACES, PROJECT, *plan.target.places)
    found = {name.upper(): getattr(settings, name) for name in names}
    return {**found, STACK_ID: plan.identity.id}


def is_copied(plan: Plan) -> bool:
    """Tell whether a migration was interrupted after it had copied everything."""
    found = copied_to(plan.paths)
    return found is not None and {**found, STACK_ID: plan.identity.id} == places_of(plan)


def changed(plan: Plan, record: Record) -> Change | None:
    """Return what changed since the last start, None if the data is in the same place."""
    change = Change(as_started(plan, record), plan, is_copied(plan))
    return change if change.runs or change.artifacts else None


def as_started(plan: Plan, record: Record) -> Plan:
    """Return a stack as last started, with its data in the same place."""
    then = record.places.get(plan.stack.site.engine, {})
    # A copied stack has no volumes in Docker, under any name.
    more = (PROJECT, *plan.target.places) if then.get(STACK_ID) == plan.identity.id else ()
    names = (*PLACES, *more)
    values = {name: then[name.upper()] for name in names if name.upper() in then}
    return plan.with_settings(values) if values else plan


def started_with(record: Record, engine: str, identity: Identity) -> Mapping[str, object]:
    """Return the settings that located a stack's data on an engine, none if it never had any."""
    then = record.places.get(engine, {})
    # A copied folder contains the record of the original.
    return then if then.get(STACK_ID) == identity.id else {}


def check_runs(plan: Plan, record: Record) -> None:
    """Make sure that no part of a stack keeps running elsewhere, out of reach of any command.

    Raises:
        UsageError: It was started under another name or in another place, and not stopped since.
    """
    if record.started_on != plan.stack.site.engine:
        _check_no_cluster(plan, record)
    elif moved := _moved(plan, record):
        raise UsageError(
            f"this stack runs {moved.was}, but {moved.now}",
            hint=f"set {moved.back} back, then mlflow-compose down",
        )


def check_place(plan: Plan, record: Record) -> None:
    """Make sure that name and place of a stack are those that it was started with.

    Raises:
        UsageError: The stack was started under another name, or in another place.
    """
    if moved := _moved(plan, record):
        raise UsageError(
            f"this stack was started {moved.was}, but {moved.now}",
            hint=f"set {moved.back} back; for another stack, use another folder",
        )


def _check_no_cluster(plan: Plan, record: Record) -> None:
    """Make sure that a stack does not run in a cluster, where nothing on this machine stops it."""
    then = started_with(record, record.started_on, plan.identity)
    if context := then.get(CONTEXT):
        raise UsageError(
            f"this stack runs in the cluster of the context {context}",
            hint="mlflow-compose down stops it first",
        )


@dataclass(frozen=True)
class _Moved:
    """Where a stack was started, what its settings say now, and what to set them back to."""

    was: str
    now: str
    back: str


def _moved(plan: Plan, record: Record) -> _Moved | None:
    """Return where a stack was started if it would not be found there now."""
    change = Change(as_started(plan, record), plan)
    if not (change.renamed or change.relocated):
        return None
    place = change.old.stack.site.namespace
    is_named = change.renamed or place is None
    own = {name.upper() for name in (PROJECT, *plan.target.places)}
    names = {name: values for name, values in change.names.items() if name in own}
    return _Moved(
        f"as {change.old.stack.name}" if is_named else f"in {place}",
        " and ".join(f"{name} is now {new or 'empty'}" for name, (_, new) in names.items()),
        " ".join(f"{name}={old}" for name, (old, _) in names.items()),
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
