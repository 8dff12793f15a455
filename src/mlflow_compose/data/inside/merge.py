"""Merge what the stack does not have; existing rows stay unchanged."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlflow_compose.data.inside.conflicts import Conflicts, key_of
from mlflow_compose.data.inside.row_mapping import Row, RowMapping
from mlflow_compose.data.inside.table_groups import (
    GROUPS,
    INPUT_TAGS,
    INPUTS,
    KINDS,
    MODEL_METRICS,
    OF_EXPERIMENT,
    REGISTRY,
    TableGroup,
)
from mlflow_compose.data.inside.tables import chunks, insert_missing, rows

# Parents whose children are looked at together: with long metric histories, that is a lot.
PARENTS = 50
Say = Callable[[str], None]


class Merge:
    """One pass over everything in a source.

    Attributes:
        source: Number of rows in the source, by kind.
        there: Number of these rows that were in the stack already, by kind.
        conflicts: Conflicts with existing rows.
    """

    def __init__(
        self, reading: Any, theirs: Any, ours: Any, mapping: RowMapping, *, write: bool
    ) -> None:
        """Take both sides.

        Args:
            reading: A connection to the source.
            theirs: The source's tables.
            ours: The stack's tables.
            mapping: Differences between the two.
            write: Whether to insert what is missing, or only to count it.
        """
        self._reading = reading
        self._writing: Any = None
        self._theirs = theirs.tables
        self._ours = ours.tables
        self._mapping = mapping
        self._write = write
        self.source: Counter[str] = Counter()
        self.there: Counter[str] = Counter()
        self.conflicts = Conflicts(mapping, write=write)

    def walk(self, target: Any, say: Say) -> None:
        """Merge everything; each experiment is one transaction."""
        table = self._theirs["experiments"]
        found = sorted(rows(self._reading, table), key=lambda row: row["experiment_id"])
        for number, row in enumerate(found, 1):
            say(f"experiment {number} of {len(found)}: {row['name']}")
            with self._transaction(target):
                self._experiment(row)
        say("registered models")
        for group in (MODEL_METRICS, REGISTRY):
            with self._transaction(target):
                self._group(group, self._of(group.table))

    @contextmanager
    def _transaction(self, target: Any) -> Iterator[None]:
        with target.begin() as self._writing:
            yield

    def _experiment(self, row: Row) -> None:
        theirs = row["experiment_id"]
        number = self._number(row)
        self._mapping.experiments[theirs] = number
        for name in OF_EXPERIMENT:
            found = self._of(name, "experiment_id", [theirs])
            self._bring(name, found, "experiment_id", [number])
        for group in GROUPS:
            parents = self._of(group.table, "experiment_id", [theirs])
            self._group(group, parents, number)

    def _number(self, row: Row) -> int:
        """Return the id of the stack's experiment; create it if there is none."""
        table = self._ours["experiments"]
        same = table.c.name == row["name"]
        if "workspace" in table.c:
            # Older MLflows have none.
            same &= table.c.workspace == row["workspace"]
        query = table.select().where(same)
        found = self._writing.execute(query).mappings().first() or self._renamed(row)
        self.source["experiments"] += 1
        self.there["experiments"] += found is not None
        if found is None and self._write:
            new = {name: value for name, value in row.items() if name != "experiment_id"}
            insert_missing(self._writing, table, [self._mapping.fit(table, new)])
            found = self._writing.execute(query).mappings().one()
            place = {"artifact_location": self._mapping.location(found["experiment_id"])}
            self._writing.execute(table.update().where(same).values(place))
        # While it is only looked, a number that none has: all below it is missing too.
        return -1 if found is None else int(found["experiment_id"])

    def _renamed(self, row: Row) -> Mapping[str, Any] | None:
        """Return the stack's experiment that has runs of one with another name."""
        table, runs = self._ours["experiments"], self._ours["runs"]
        numbers = runs.select().with_only_columns(runs.c.experiment_id)
        for chunk in chunks(self._of("runs", "experiment_id", [row["experiment_id"]])):
            below = numbers.where(runs.c.run_uuid.in_([run["run_uuid"] for run in chunk]))
            query = table.select().where(table.c.experiment_id.in_(below))
            if found := self._writing.execute(query).mappings().first():
                self.conflicts.left.append(
                    f"the name of experiment {row['name']}: in the stack it is {found['name']}"
                )
                return dict(found)
        return None

    def _of(self, name: str, column: str = "", keys: Sequence[Any] = ()) -> Iterator[Row]:
        """Return the source's rows that belong to `keys`; all rows without a column."""
        if name not in self._theirs:
            # An older MLflow has neither logged models nor much of what traces have.
            return iter(())
        table, runs = self._theirs[name], self._theirs["runs"]
        conditions = [table.c[column].in_(keys)] if column else []
        if name == "logged_model_metrics":
            # A folder knows no foreign keys: the run may be gone.
            conditions.append(table.c.run_id.in_(runs.select().with_only_columns(runs.c.run_uuid)))
        return rows(self._reading, table, *conditions)

    def _group(self, group: TableGroup, parents: Iterable[Row], number: int | None = None) -> None:
        """Merge parents in chunks, with their children."""
        for chunk in chunks(parents, PARENTS):
            keys = [parent[group.key] for parent in chunk]
            if group is not MODEL_METRICS:
                self._bring(group.table, chunk, group.key, keys, number)
            for name, column in group.children.items():
                self._bring(name, self._of(name, column, keys), column, keys, number)
            if group.table == "runs":
                self._inputs(keys)

    def _inputs(self, runs: Sequence[str]) -> None:
        """Merge the inputs and outputs of runs: datasets and models."""
        table, uuids = self._theirs[INPUTS], self._mapping.uuids
        ends = (table.c.source_id.in_(runs)) | (table.c.destination_id.in_(runs))
        found = list(rows(self._reading, table, ends))
        sources = [uuids.get(row["source_id"], row["source_id"]) for row in found]
        self._bring(INPUTS, found, "source_id", sources)
        old = [row["input_uuid"] for row in found]
        theirs = self._of(INPUT_TAGS, "input_uuid", old)
        self._bring(INPUT_TAGS, theirs, "input_uuid", [uuids.get(uuid, uuid) for uuid in old])

    def _bring(
        self,
        name: str,
        theirs: Iterable[Row],
        column: str,
        keys: Sequence[Any],
        number: int | None = None,
    ) -> None:
        """Insert the missing rows of a table that belong to `keys`.

        Args:
            name: Name of the table.
            theirs: The source's rows.
            column: Column that names the owner of a row.
            keys: Its values in the stack.
            number: Id of their experiment in the stack.
        """
        if name not in self._ours:
            return
        table, kind = self._ours[name], KINDS[name]
        here = self.conflicts.rows(self._writing, table, column, keys)
        for chunk in chunks(theirs):
            changed = [
                self._mapping.row(name, row, number, here.get(key_of(table, row))) for row in chunk
            ]
            ours = [self._mapping.fit(table, row) for row in changed]
            new = [row for row in ours if key_of(table, row) not in here]
            self.source[kind] += len(chunk)
            self.there[kind] += sum(
                self.conflicts.resolve(self._writing, table, row, here[key_of(table, row)])
                for row in ours
                if key_of(table, row) in here
            )
            if self._write:
                may = [row for row in new if self.conflicts.may_come(name, row)]
                insert_missing(self._writing, table, may)
