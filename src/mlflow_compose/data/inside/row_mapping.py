"""Map rows of the source to the stack: experiment ids, locations, lengths."""

from collections import Counter
from typing import Any
from urllib.parse import unquote, urlsplit

Row = dict[str, Any]
DEFAULT_WORKSPACE = "default"
TRACE_LOCATION = "mlflow.artifactLocation"
# Schemes of locations that only the source can reach: folders, and its server's proxy.
MOVABLE = ("", "file", "mlflow-artifacts")
# Schemes that name a run or a model, which every server resolves on its own.
REFERENCES = ("runs", "models")
# Sources of prompt versions, which have no artifacts (`mlflow/prompt/constants.py`).
NO_ARTIFACTS = ("dummy-source", "prompt-template")
# Stage of a deleted model version, whose source MLflow overwrites.
DELETED_STAGE = "Deleted_Internal"
# By table: the column with the artifact location, the key column, and the default path below the
# experiment (`SqlAlchemyStore.create_run`, `create_logged_model`, `_get_trace_artifact_…`).
LOCATIONS = {
    "runs": ("artifact_uri", "run_uuid", "{}/artifacts"),
    "logged_models": ("artifact_location", "model_id", "models/{}/artifacts"),
    "trace_tags": ("value", "request_id", "traces/{}/artifacts"),
}


class RowMapping:
    """Maps rows, and remembers the changes for the rows that refer to them.

    Attributes:
        experiments: Experiment ids in the stack, by their ids in the source.
        uuids: Ids of existing datasets and inputs in the stack, by their ids in the source.
        locations: Artifact locations in the stack by id of the run, model or trace, by those in
            the source; a location may have several owners, such as a run and its fork.
        truncated: Number of truncated values, by column.
        external: Number of artifact locations that stay the same, by scheme and host.
        unmoved: Location of a model version that belongs to no run, model or trace, by its name and
            number; only the source can reach it.
    """

    def __init__(self, root: str, *, move_all: bool, workspaces: bool = False) -> None:
        """Prepare a mapping.

        Args:
            root: Artifact root of the stack, as its server stores it.
            move_all: Whether artifacts are imported from every location.
            workspaces: Whether the stack has workspaces.
        """
        self._root = root.rstrip("/")
        self._move_all = move_all
        self._has_workspaces = workspaces
        self._tops: dict[int, str] = {}
        self.experiments: dict[int, int] = {}
        self.uuids: dict[str, str] = {}
        self.locations: dict[str, dict[str, str]] = {}
        self.truncated: Counter[str] = Counter()
        self.external: Counter[str] = Counter()
        self.unmoved: dict[tuple[str, int], str] = {}

    def experiment_location(self, experiment: int) -> str:
        """Return MLflow's default location for the artifacts of an experiment in the stack."""
        return f"{self._root}/{self._tops.get(experiment, '')}{experiment}"

    def place(self, experiment: int, workspace: str | None) -> None:
        """Register the workspace of an experiment in the stack.

        MLflow serves artifacts only to requests for the workspace that their location names
        (`_get_workspace_scoped_repo_path_if_enabled` in `mlflow/server/handlers.py`).
        """
        if self._has_workspaces and workspace:
            self._tops[experiment] = f"workspaces/{workspace}/"

    def row(
        self, table: str, row: Row, experiment: int | None = None, existing: Row | None = None
    ) -> Row:
        """Return the row to insert into the stack.

        Args:
            table: Table name.
            row: Row of the source.
            experiment: Id of its experiment in the stack.
            existing: The stack's row with the same key. Its artifact location is kept, since its
                experiment or `MLFLOW_ARTIFACT_ACCESS` may have changed after it was imported.
        """
        new = {**row}
        if "experiment_id" in new:
            new["experiment_id"] = self.experiments[row["experiment_id"]]
        for column in ("dataset_uuid", "input_uuid", "source_id"):
            if column in new:
                new[column] = self.uuids.get(row[column], row[column])
        if experiment is not None and (location := self.artifact_location(table, row)):
            column, name, below = LOCATIONS[table]
            default = f"{self.experiment_location(experiment)}/{below.format(row[name])}"
            new[column] = (existing or {}).get(column) or default
            self.locations.setdefault(location, {})[row[name]] = new[column]
        if table == "model_versions":
            for column in ("source", "storage_location"):
                new[column] = self._version_location(row, column)
        return new

    def artifact_location(self, table: str, row: Row) -> str:
        """Return the artifact location of a row; empty if it has none, or if it stays."""
        if table not in LOCATIONS or row.get("key", TRACE_LOCATION) != TRACE_LOCATION:
            return ""
        uri = row[LOCATIONS[table][0]] or ""
        if self._move_all or scheme(uri) in MOVABLE:
            return normalize(uri)
        parts = urlsplit(uri)
        self.external[f"{parts.scheme}://{parts.hostname or ''}"] += 1
        return ""

    def _version_location(self, row: Row, column: str) -> str | None:
        """Return the new location of a model version, or the old one if it does not move."""
        uri: str | None = row[column]
        if not uri or uri in NO_ARTIFACTS:
            return uri
        if new := self._new_location(uri, row.get("run_id") or ""):
            return new
        stays = scheme(uri) in REFERENCES if self._move_all else scheme(uri) not in MOVABLE
        if not stays and row.get("current_stage") != DELETED_STAGE:
            self.unmoved[full_name(row), row["version"]] = uri
        return uri

    def _new_location(self, uri: str, owner: str) -> str:
        """Return the new location of a path at or below a location that moved; empty if it stays.

        Args:
            uri: A location in the source.
            owner: Id of the run whose new location is used if several have the same location.
        """
        location, rest = normalize(uri), ""
        while location and location not in self.locations:
            location, slash, last = location.rpartition("/")
            rest = f"{slash}{last}{rest}"
        if not location:
            return ""
        targets = self.locations[location]
        return f"{targets.get(owner) or next(iter(targets.values()))}{rest}"

    def fit(self, table: Any, row: Row) -> Row:
        """Return a row that PostgreSQL accepts: SQLite ignores column lengths and allows NUL."""
        for column in table.columns:
            value, length = row.get(column.name), getattr(column.type, "length", None)
            if not isinstance(value, str):
                continue
            fitting = value.replace("\0", "")[:length]
            if fitting != value:
                self.truncated[f"{table.name}.{column.name}"] += 1
                row[column.name] = fitting
        return row


def full_name(row: Row) -> str:
    """Return the name of a registered model, which is unique in its workspace."""
    workspace = row.get("workspace") or DEFAULT_WORKSPACE
    name: str = row["name"]
    return name if workspace == DEFAULT_WORKSPACE else f"{workspace}/{name}"


def scheme(uri: str) -> str:
    """Return the scheme of a location; a Windows drive is not a scheme."""
    found = urlsplit(uri).scheme
    return found if len(found) > 1 else ""


def normalize(uri: str) -> str:
    """Return a location in one spelling: a path if it is on the source's machine."""
    parts = urlsplit(uri)
    return (unquote(parts.path) if parts.scheme == "file" else uri).rstrip("/")
