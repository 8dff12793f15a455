"""Read which runs, models and traces own artifacts, and what else refers to them."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mlflow_compose.data.inside import tables
from mlflow_compose.data.inside.layout import Place

RUN, MODEL, TRACE, VERSION = "run", "logged model", "trace", "model version"
DELETED = "deleted"
READ = (
    "experiments",
    "runs",
    "tags",
    "logged_models",
    "trace_info",
    "trace_tags",
    "model_versions",
    "datasets",
)
# Tags with the paths of a run's artifacts, as JSON.
MODELS_TAG, FILES_TAG = "mlflow.log-model.history", "mlflow.loggedArtifacts"
LOCATION_TAG, SPANS_TAG = "mlflow.artifactLocation", "mlflow.trace.spansLocation"
SPANS_IN_ARTIFACTS = "ARTIFACT_REPO"
# `LoggedModelStatus.READY` and a model version's stage after its deletion, as MLflow stores them.
READY, DELETED_STAGE = 2, "Deleted_Internal"
DEFAULT_WORKSPACE = "default"
ID = re.compile(r"(?:m-|tr-)?[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Owner:
    """A run, logged model or trace.

    Attributes:
        kind: RUN, MODEL or TRACE.
        id: Its id.
        experiment: Id of its experiment.
        keys: Keys that its artifact location may mean; empty if it is another place.
        is_deleted: Whether it is deleted, but can be restored.
        since: When it was deleted, in milliseconds since 1970; None if unknown.
    """

    kind: str
    id: str
    experiment: int
    keys: tuple[str, ...]
    is_deleted: bool = False
    since: int | None = None


@dataclass(frozen=True)
class Experiment:
    """An experiment, with attributes as of an owner; its name is unique in its workspace."""

    id: int
    name: str
    keys: tuple[str, ...]
    is_deleted: bool
    since: int | None
    workspace: str = DEFAULT_WORKSPACE


@dataclass(frozen=True)
class Claim:
    """An object, or a prefix of some, that something in use must have.

    Attributes:
        kind: RUN, MODEL, TRACE or VERSION.
        id: Its id; name and number of a model version.
        keys: Keys that the location may mean.
    """

    kind: str
    id: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What the database knows of artifacts.

    Attributes:
        experiments: Experiments by id.
        owners: Runs, logged models and traces by id.
        used: Keys that model versions refer to.
        mentioned: Ids that model versions and data sets mention.
        claims: Objects that must exist.
    """

    experiments: dict[int, Experiment] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    claims: list[Claim] = field(default_factory=list)

    def add(self, owner: Owner) -> None:
        """Add an owner."""
        self.owners[owner.id] = owner

    def claim(self, kind: str, id_: str, keys: tuple[str, ...]) -> None:
        """Add a claim, unless its location is another place."""
        if keys:
            self.claims.append(Claim(kind, id_, keys))


def read(engine: Any, place: Place) -> Known:
    """Read all of it from a database."""
    from sqlalchemy import MetaData, inspect

    metadata = MetaData()
    # Earlier versions of MLflow have fewer tables.
    present = {*inspect(engine).get_table_names()} & {*READ}
    metadata.reflect(engine, only=sorted(present), resolve_fks=False)
    with engine.connect() as reading:
        if reading.dialect.name == "postgresql":
            # All tables at the same moment.
            reading.execution_options(isolation_level="REPEATABLE READ")
        return _known(_Tables(reading, metadata.tables), place)


def is_deleted(engine: Any, owner: Owner) -> bool:
    """Tell whether a run or logged model is still deleted at this moment."""
    from sqlalchemy import column, select, table

    name, key = {RUN: ("runs", "run_uuid"), MODEL: ("logged_models", "model_id")}[owner.kind]
    query = select(column("lifecycle_stage")).select_from(table(name))
    with engine.connect() as reading:
        stage = reading.execute(query.where(column(key) == owner.id)).scalar()
    return bool(stage == DELETED)


class _Tables:
    """The tables of a database; a missing one has no rows."""

    def __init__(self, reading: Any, found: Mapping[str, Any]) -> None:
        self._reading, self._found = reading, found

    def rows(self, name: str, *columns: str, **equal: tuple[str, ...]) -> Iterator[tables.Row]:
        """Yield columns of the rows whose other columns have one of the given values."""
        from sqlalchemy import select

        if name not in self._found:
            return
        table = self._found[name]
        wanted = [table.c[column] for column in columns if column in table.c]
        query = select(*wanted).execution_options(yield_per=tables.CHUNK_ROWS)
        for column, values in equal.items():
            query = query.where(table.c[column].in_(values))
        for row in self._reading.execute(query).mappings():
            yield {column: row.get(column) for column in columns}


def _known(found: _Tables, place: Place) -> Known:
    known = Known()
    columns = ("experiment_id", "name", "artifact_location", "lifecycle_stage", "last_update_time")
    for row in found.rows("experiments", *columns, "workspace"):
        id_, name, location, stage, since, workspace = row.values()
        known.experiments[id_] = Experiment(
            id_,
            name,
            place.keys(location),
            stage == DELETED,
            since,
            # Older MLflow versions have no workspaces.
            workspace or DEFAULT_WORKSPACE,
        )
    columns = ("run_uuid", "experiment_id", "artifact_uri", "lifecycle_stage", "deleted_time")
    for row in found.rows("runs", *columns):
        id_, experiment, location, stage, since = row.values()
        known.add(Owner(RUN, id_, experiment, place.keys(location), stage == DELETED, since))
    _add_models(known, found, place)
    _add_traces(known, found, place)
    _add_versions(known, found, place)
    for row in found.rows("tags", "run_uuid", "key", "value", key=(MODELS_TAG, FILES_TAG)):
        _claim_files(known, row["run_uuid"], row["key"], row["value"])
    for row in found.rows("datasets", "dataset_source"):
        known.mentioned.update(ID.findall(row["dataset_source"] or ""))
    return known


def _add_models(known: Known, found: _Tables, place: Place) -> None:
    columns = ("model_id", "experiment_id", "artifact_location", "lifecycle_stage", "status")
    for row in found.rows("logged_models", *columns, "last_updated_timestamp_ms"):
        id_, experiment, location, stage, status, since = row.values()
        owner = Owner(MODEL, id_, experiment, place.keys(location), stage == DELETED, since)
        known.add(owner)
        if status == READY and not owner.is_deleted:
            known.claim(MODEL, id_, owner.keys)


def _add_traces(known: Known, found: _Tables, place: Place) -> None:
    experiments = {
        row["request_id"]: row["experiment_id"]
        for row in found.rows("trace_info", "request_id", "experiment_id")
    }
    locations: dict[str, dict[str, str]] = {id_: {} for id_ in experiments}
    for row in found.rows(
        "trace_tags", "request_id", "key", "value", key=(LOCATION_TAG, SPANS_TAG)
    ):
        locations.setdefault(row["request_id"], {})[row["key"]] = row["value"]
    for id_, experiment in experiments.items():
        keys = place.keys(locations[id_].get(LOCATION_TAG))
        known.add(Owner(TRACE, id_, experiment, keys))
        if locations[id_].get(SPANS_TAG) == SPANS_IN_ARTIFACTS:
            known.claim(TRACE, id_, keys)


def _add_versions(known: Known, found: _Tables, place: Place) -> None:
    """Add what registered models refer to."""
    columns = ("name", "version", "current_stage", "source", "storage_location", "run_id")
    for row in found.rows("model_versions", *columns):
        name, version, stage, source, storage, run = row.values()
        if stage == DELETED_STAGE:
            continue
        known.mentioned.update(ID.findall(f"{source} {storage} {run}"))
        keys = place.keys(storage) + place.keys(source)
        known.used.update(keys)
        known.claim(VERSION, f"{name}/{version}", keys)


def _claim_files(known: Known, run: str, tag: str, value: str) -> None:
    """Add the artifacts that a run's tag lists: tables, and models of clients before MLflow 3."""
    owner = known.owners.get(run)
    if not owner or owner.is_deleted:
        return
    name = "artifact_path" if tag == MODELS_TAG else "path"
    # Clients can write anything into a tag.
    with suppress(ValueError, TypeError, AttributeError):
        for entry in json.loads(value):
            path = entry.get(name)
            if isinstance(path, str) and path and not entry.get("model_id"):
                known.claim(RUN, run, tuple(f"{key}/{path.strip('/')}" for key in owner.keys))
