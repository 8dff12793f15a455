"""Resolve rows whose key exists in the stack."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_compose.data.inside.row_mapping import LOCATIONS, Row, RowMapping, full_name

Key = tuple[Any, ...]
# Tables of which more columns than the primary key are compared.
COMPARED = ("datasets", "inputs", "latest_metrics", "model_versions", "registered_model_aliases")
# Columns that identify a model version's content, and the tables of its children.
ORIGIN, VERSION_CHILDREN = ("run_id", "source"), ("model_version_tags", "registered_model_aliases")


class Conflicts:
    """Compares rows of both sides with the same key.

    Attributes:
        skipped: What is not imported, one sentence each.
    """

    def __init__(self, mapping: RowMapping, *, write: bool) -> None:
        self._mapping = mapping
        self._write = write
        self.skipped: list[str] = []
        # Workspace, name and number of model versions that differ in the stack.
        self._different_versions: set[tuple[Any, Any, Any]] = set()

    def existing_rows(
        self, writing: Any, table: Any, column: str, keys: Sequence[Any]
    ) -> dict[Key, Row]:
        """Return the compared columns of the stack's rows of `keys`, by primary key."""
        query = table.select().where(table.c[column].in_(keys))
        if table.name not in COMPARED:
            location = [table.c[LOCATIONS[table.name][0]]] if table.name in LOCATIONS else []
            query = query.with_only_columns(*table.primary_key.columns, *location)
        found = writing.execute(query).mappings()
        return {key_of(table, row): dict(row) for row in found}

    def may_insert(self, name: str, row: Row) -> bool:
        """Tell whether a row does not belong to a model version that differs in the stack."""
        version = (row.get("workspace"), row.get("name"), row.get("version"))
        return name not in VERSION_CHILDREN or version not in self._different_versions

    def resolve(self, writing: Any, table: Any, row: Row, existing: Row) -> bool:
        """Register an existing row; tell whether both are the same."""
        match table.name:
            case "datasets":
                self._mapping.uuids[row["dataset_uuid"]] = existing["dataset_uuid"]
            case "inputs":
                self._mapping.uuids[row["input_uuid"]] = existing["input_uuid"]
            case "latest_metrics" if self._write and order_of(row) > order_of(existing):
                # The history has grown since the last import.
                same = [column == row[column.name] for column in table.primary_key.columns]
                writing.execute(table.update().where(*same).values(row))
            # Without a run, a database has an empty text or nothing.
            case "model_versions" if any(
                (row[name] or "") != (existing[name] or "") for name in ORIGIN
            ):
                self._different_versions.add((row.get("workspace"), row["name"], row["version"]))
                self.skipped.append(
                    f"version {row['version']} of model {full_name(row)}: "
                    "the stack has a different one"
                )
                return False
            case "registered_model_aliases" if row["version"] != existing["version"]:
                self.skipped.append(
                    f"alias {row['alias']} of model {full_name(row)}: in the stack it refers to "
                    f"version {existing['version']}, not {row['version']}"
                )
        return True


def key_of(table: Any, row: Mapping[str, Any]) -> Key:
    """Return a row's primary key."""
    return tuple(row[column.name] for column in table.primary_key.columns)


def order_of(metric: Row) -> Key:
    """Return the sort key by which MLflow finds the latest point of a metric."""
    return (metric["step"], metric["timestamp"], metric["value"])
