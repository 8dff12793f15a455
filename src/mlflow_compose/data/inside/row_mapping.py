"""Map rows of the source to the stack: experiment ids, locations, lengths."""

from collections import Counter
from typing import Any
from urllib.parse import unquote, urlsplit

Row = dict[str, Any]
TRACE_LOCATION = "mlflow.artifactLocation"
# Folders of the source's machine, which are out of reach elsewhere, and its server's proxy.
MOVABLE = ("", "file", "mlflow-artifacts")
# By table: the column of its place, what names the owner, and where MLflow puts it below its
# experiment's (`SqlAlchemyStore.create_run`, `create_logged_model`, `_get_trace_artifact_…`).
PLACES = {
    "runs": ("artifact_uri", "run_uuid", "{}/artifacts"),
    "logged_models": ("artifact_location", "model_id", "models/{}/artifacts"),
    "trace_tags": ("value", "request_id", "traces/{}/artifacts"),
}


class RowMapping:
    """Maps rows and remembers the changes, so that references follow.

    Attributes:
        experiments: Their numbers in the stack, by those in the source.
        uuids: Ids of existing datasets and inputs in the stack, by those in the source.
        places: Artifact locations in the stack, by those in the source.
        cut: Number of truncated values, by column.
        elsewhere: Number of locations that stay the same, by their beginning.
    """

    def __init__(self, root: str, *, everything_moves: bool) -> None:
        """Prepare a mapping.

        Args:
            root: Root of the stack's artifacts, as its server names it.
            everything_moves: Whether artifacts come along wherever they were.
        """
        self._root = root.rstrip("/")
        self._everything_moves = everything_moves
        self.experiments: dict[int, int] = {}
        self.uuids: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.cut: Counter[str] = Counter()
        self.elsewhere: Counter[str] = Counter()

    def location(self, experiment: int) -> str:
        """Return MLflow's default location for the artifacts of an experiment in the stack."""
        return f"{self._root}/{experiment}"

    def row(
        self, table: str, row: Row, experiment: int | None = None, here: Row | None = None
    ) -> Row:
        """Return a row as it is in the stack.

        Args:
            table: Its table.
            row: Row of the source.
            experiment: The one that it is below, in the stack.
            here: The stack's own row, which says where artifacts are: its experiment may have had
                another name, and clients another way to the bucket, when it came.
        """
        new = {**row}
        if "experiment_id" in new:
            new["experiment_id"] = self.experiments[row["experiment_id"]]
        for column in ("dataset_uuid", "input_uuid", "source_id"):
            if column in new:
                new[column] = self.uuids.get(row[column], row[column])
        if experiment is not None and (place := self.place(table, row)):
            column, name, below = PLACES[table]
            made = f"{self.location(experiment)}/{below.format(row[name])}"
            new[column] = (here or {}).get(column) or made
            self.places[place] = new[column]
        if table == "model_versions":
            for column in ("source", "storage_location"):
                new[column] = self.follow(row[column])
        return new

    def place(self, table: str, row: Row) -> str:
        """Return the artifact location of a row; empty if it has none, or if they stay."""
        if table not in PLACES or row.get("key", TRACE_LOCATION) != TRACE_LOCATION:
            return ""
        uri = row[PLACES[table][0]] or ""
        if self._everything_moves or scheme(uri) in MOVABLE:
            return plain(uri)
        parts = urlsplit(uri)
        self.elsewhere[f"{parts.scheme}://{parts.hostname or ''}"] += 1
        return ""

    def follow(self, uri: str | None) -> str | None:
        """Return the new location of a path at or below a location that moved."""
        if not uri:
            return uri
        place, rest = plain(uri), ""
        while place and place not in self.places:
            place, slash, last = place.rpartition("/")
            rest = f"{slash}{last}{rest}"
        return f"{self.places[place]}{rest}" if place else uri

    def fit(self, table: Any, row: Row) -> Row:
        """Return a row that PostgreSQL accepts: SQLite ignores lengths and allows NUL."""
        for column in table.columns:
            value, length = row.get(column.name), getattr(column.type, "length", None)
            if not isinstance(value, str):
                continue
            fitting = value.replace("\0", "")[:length]
            if fitting != value:
                self.cut[f"{table.name}.{column.name}"] += 1
                row[column.name] = fitting
        return row


def scheme(uri: str) -> str:
    """Return the scheme of a location; a Windows drive is not a scheme."""
    found = urlsplit(uri).scheme
    return found if len(found) > 1 else ""


def plain(uri: str) -> str:
    """Return one spelling of a location: a path if it is on the source's machine."""
    parts = urlsplit(uri)
    return (unquote(parts.path) if parts.scheme == "file" else uri).rstrip("/")
