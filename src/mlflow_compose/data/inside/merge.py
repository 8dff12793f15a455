"""Merge the rows that the stack does not have; existing rows stay unchanged."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlflow_compose.data.inside.conflicts import Conflicts, key_of
from mlflow_compose.data.inside.row_mapping import Row, RowMapping
from mlflow_compose.data.inside.table_groups import (
    EXPERIMENT_CHILDREN,
    GROUPS,
    INPUT_TAGS,
    INPUTS,
    KINDS,
    MODEL_METRICS,
    REGISTRY,
    TableGroup,
)
from mlflow_compose.data.inside.tables import (
    OnProgress,
    chunks,
    insert_missing,
    rows,
    with_experiment,
)

# Parents whose children are queried together; long metric histories are large.
PARENTS = 50
MISSING = -1


class Merge:
    """One pass over all rows of a source.

    Attributes:
        source: Number of rows in the source, by kind.
        existing: Number of these rows that the stack already had, by kind.
        conflicts: Conflicts with existing rows.
    """

    def __init__(
        self,
        reading: Any,
        source_schema: Any,
        target_schema: Any,
        mapping: RowMapping,
        *,
        write: bool,
    ) -> None:
        """Prepare a pass.

        Args:
            reading: Connection to the source.
            source_schema: Reflected tables of the source.
            target_schema: Reflected tables of the stack.
            mapping: Differences between the two.
            write: Whether to insert missing rows, or only to count them.
        """
        self._reading = reading
        self._writing: Any = None
        self._source_tables = source_schema.tables
        self._target_tables = target_schema.tables
        self._mapping = mapping
        self._write = write
        self.source: Counter[str] = Counter()
        self.existing: Counter[str] = Counter()
        self.conflicts = Conflicts(mapping, write=write)

    def walk(self, target: Any, on_progress: OnProgress) -> None:
        """Merge everything; each experiment is one transaction."""
        table = self._source_tables["experiments"]
        found = sorted(rows(self._reading, table), key=lambda row: row["experiment_id"])
        for number, row in enumerate(found, 1):
            on_progress(f"experiment {number} of {len(found)}: {row['name']}")
            with self._transaction(target):
                self._merge_experiment(row)
        on_progress("registered models")
        for group in (MODEL_METRICS, REGISTRY):
            with self._transaction(target):
                self._merge_group(group, self._source_rows(group.table))

    @contextmanager
    def _transaction(self, target: Any) -> Iterator[None]:
        with target.begin() as self._writing:
            yield

    def _merge_experiment(self, row: Row) -> None:
        source_id = row["experiment_id"]
        target_id = self._target_experiment(row)
        self._mapping.experiments[source_id] = target_id
        for name in EXPERIMENT_CHILDREN:
            found = self._source_rows(name, "experiment_id", [source_id])
            self._import_rows(name, found, "experiment_id", [target_id])
        for group in GROUPS:
            parents = self._source_rows(group.table, "experiment_id", [source_id])
            self._merge_group(group, parents, target_id)

    def _target_experiment(self, row: Row) -> int:
        """Return the id of the stack's experiment; create it if it does not exist."""
        table = self._target_tables["experiments"]
        same = table.c.name == row["name"]
        if "workspace" in table.c:
            # Older MLflow versions have no workspaces.
            same &= table.c.workspace == row["workspace"]
        query = table.select().where(same)
        # When only counting, an id that no experiment has: all its children are missing too.
        self._mapping.place(MISSING, row.get("workspace"))
        found = self._writing.execute(query).mappings().first() or self._renamed_experiment(row)
        self.source["experiments"] += 1
        self.existing["experiments"] += found is not None
        if found is None and self._write:
            new = {name: value for name, value in row.items() if name != "experiment_id"}
            insert_missing(self._writing, table, [self._mapping.fit(table, new)])
            found = self._writing.execute(query).mappings().one()
            self._mapping.place(found["experiment_id"], found.get("workspace"))
            location = self._mapping.experiment_location(found["experiment_id"])
            self._writing.execute(table.update().where(same).values(artifact_location=location))
        if found is None:
            return MISSING
        self._mapping.place(found["experiment_id"], found.get("workspace"))
        return int(found["experiment_id"])

    def _renamed_experiment(self, row: Row) -> Mapping[str, Any] | None:
        """Return the stack's experiment that has the same runs under another name."""
        table, runs = self._target_tables["experiments"], self._target_tables["runs"]
        ids = runs.select().with_only_columns(runs.c.experiment_id)
        source_runs = self._source_rows("runs", "experiment_id", [row["experiment_id"]])
        for chunk in chunks(source_runs):
            parents = ids.where(runs.c.run_uuid.in_([run["run_uuid"] for run in chunk]))
            query = table.select().where(table.c.experiment_id.in_(parents))
            if found := self._writing.execute(query).mappings().first():
                self.conflicts.skipped.append(
                    f"the name of experiment {row['name']}: in the stack it is {found['name']}"
                )
                return dict(found)
        return None

    def _source_rows(self, name: str, column: str = "", keys: Sequence[Any] = ()) -> Iterator[Row]:
        """Return the source's rows that belong to `keys`; all rows without a column."""
        if name not in self._source_tables:
            # Older MLflow versions lack logged models and many tables of traces.
            return iter(())
        table, runs = self._source_tables[name], self._source_tables["runs"]
        conditions = [table.c[column].in_(keys)] if column else []
        if name == "logged_model_metrics":
            # A folder has no foreign keys, so the run may have been deleted.
            known = with_experiment(self._source_tables, runs)
            ids = runs.select().where(known).with_only_columns(runs.c.run_uuid)
            conditions += [table.c.run_id.in_(ids), with_experiment(self._source_tables, table)]
        return rows(self._reading, table, *conditions)

    def _merge_group(
        self, group: TableGroup, parents: Iterable[Row], experiment: int | None = None
    ) -> None:
        """Merge parents in chunks, with their children."""
        for chunk in chunks(parents, PARENTS):
            keys = [parent[group.key] for parent in chunk]
            if group is not MODEL_METRICS:
                self._import_rows(group.table, chunk, group.key, keys, experiment)
            for name, column in group.children.items():
                found = self._source_rows(name, column, keys)
                self._import_rows(name, found, column, keys, experiment)
            if group.table == "runs":
                self._merge_inputs(keys)

    def _merge_inputs(self, runs: Sequence[str]) -> None:
        """Merge the inputs and outputs of runs: datasets and models."""
        table, uuids = self._source_tables[INPUTS], self._mapping.uuids
        ends = (table.c.source_id.in_(runs)) | (table.c.destination_id.in_(runs))
        found = list(rows(self._reading, table, ends))
        sources = [uuids.get(row["source_id"], row["source_id"]) for row in found]
        self._import_rows(INPUTS, found, "source_id", sources)
        old = [row["input_uuid"] for row in found]
        tags = self._source_rows(INPUT_TAGS, "input_uuid", old)
        self._import_rows(INPUT_TAGS, tags, "input_uuid", [uuids.get(uuid, uuid) for uuid in old])

    def _import_rows(
        self,
        name: str,
        source_rows: Iterable[Row],
        column: str,
        keys: Sequence[Any],
        experiment: int | None = None,
    ) -> None:
        """Insert the missing rows of a table that belong to `keys`.

        Args:
            name: Table name.
            source_rows: Rows of the source.
            column: Column that names the parent of a row.
            keys: Keys of the parents in the stack.
            experiment: Id of their experiment in the stack.
        """
        if name not in self._target_tables:
            return
        table, kind = self._target_tables[name], KINDS[name]
        existing = self.conflicts.existing_rows(self._writing, table, column, keys)
        for chunk in chunks(source_rows):
            mapped = [
                self._mapping.row(name, row, experiment, existing.get(key_of(table, row)))
                for row in chunk
            ]
            target_rows = [self._mapping.fit(table, row) for row in mapped]
            new = [row for row in target_rows if key_of(table, row) not in existing]
            self.source[kind] += len(chunk)
            self.existing[kind] += sum(
                self.conflicts.resolve(self._writing, table, row, existing[key_of(table, row)])
                for row in target_rows
                if key_of(table, row) in existing
            )
            if self._write:
                allowed = [row for row in new if self.conflicts.may_insert(name, row)]
                insert_missing(self._writing, table, allowed)
