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
    """Make sure that no part of a stack keeps running under another name.

    Raises:
        UsageError: It was started under another name, and not stopped since.
    """
    name = _old_name(plan, record)
    if name and record.started_on == plan.stack.site.engine:
        raise UsageError(
            f"this stack runs as {name}, but COMPOSE_PROJECT_NAME is {plan.stack.name}",
            hint=f"set COMPOSE_PROJECT_NAME={name} back, then mlflow-compose down",
        )


def check_name(plan: Plan, record: Record) -> None:
    """Make sure that the name of a stack is the one that it was started under.

    Raises:
        UsageError: The stack was started under another name.
    """
    if name := _old_name(plan, record):
        raise UsageError(
            f"this stack was started as {name}, but COMPOSE_PROJECT_NAME is now {plan.stack.name}",
            hint=f"set COMPOSE_PROJECT_NAME={name} back; for another stack, use another folder",
        )


def _old_name(plan: Plan, record: Record) -> str:
    """Return the previous name of a stack in Docker, empty if it has not changed."""
    old = as_started(plan, record)
    return old.stack.name if Change(old, plan).renamed else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
