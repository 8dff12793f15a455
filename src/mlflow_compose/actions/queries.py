"""`sql`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlflow_compose.engines import Engine
from mlflow_compose.payloads import QueryList, QueryResult
from mlflow_compose.queries import LAYOUTS, QUERIES, Layout, open_shell, query_of, read
from mlflow_compose.queries.inside.table import Row
from mlflow_compose.queries.inside.tables import READABLE
from mlflow_compose.result import Result
from mlflow_compose.stack.stores import POSTGRES

# Prints a line at once, and tells whether it is still read.
Show = Callable[[str], bool]


class OutputClosed(Exception):  # noqa: N818 - an outcome, not a bug
    """Standard output was closed, as by `head`: the rest of the rows is not needed."""


@dataclass
class Received:
    """The rows of a query: printed as they arrive, or kept.

    Attributes:
        layout: How they are shown.
        show: Prints a line, None to keep all rows.
    """

    layout: Layout
    show: Show | None
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def take_columns(self, names: Sequence[str]) -> None:
        """Take the names of the columns."""
        self.columns.extend(names)
        self._pass_on(names, ())

    def take_rows(self, part: Sequence[Row]) -> None:
        """Take a part of the rows."""
        if self.show is None:
            self.rows.extend(part)
        self._pass_on((), part)

    @property
    def lines(self) -> list[str]:
        """The lines that are not printed yet."""
        return [] if self.show else [*self.layout.lines(self.columns, self.rows)]

    def _pass_on(self, names: Sequence[str], part: Sequence[Row]) -> None:
        for line in self.layout.lines(names, part) if self.show else ():
            if self.show and not self.show(line):
                raise OutputClosed


def sql(
    engine: Engine, given: Sequence[str], layout_name: str, limit: int | None, show: Show | None
) -> Result:
    """Run a named query or a statement that reads.

    Args:
        engine: Engine of the stack.
        given: Name and arguments of a query, or one statement.
        layout_name: Key of LAYOUTS.
        limit: Most rows to show, 0 for all, None for the layout's own limit.
        show: Prints rows as they arrive, if the layout allows it; None to return them.
    """
    layout = LAYOUTS[layout_name]
    most = layout.limit if limit is None else limit
    query, arguments = query_of(
        given,
        postgres=engine.stack.stores.runs.kind == POSTGRES,
        workspaces=engine.stack.workspaces,
    )
    engine.check()
    received = Received(layout, show if layout.in_parts else None)
    try:
        more = read(
            engine,
            query,
            arguments,
            limit=most,
            on_columns=received.take_columns,
            on_rows=received.take_rows,
        )
    except OutputClosed:
        return Result()
    data = QueryResult(received.columns, received.rows, more)
    if not layout.is_for_people:
        return Result(data, received.lines, is_input=True)
    note = [f"only the first {most} rows; --limit 0 shows all"] if more else []
    return Result(data, [*received.lines, *note])


def sql_shell(engine: Engine, *, terminal: bool) -> Result:
    """Open a shell of the database, and return when it is closed.

    Args:
        engine: Engine of the stack.
        terminal: Whether the standard streams are a terminal.
    """
    engine.check()
    open_shell(engine, terminal=terminal)
    return Result()


def list_queries() -> Result:
    """Return the named queries, and the tables that can be read."""
    about = {name: query.about for name, query in QUERIES.items()}
    usage = {name: f"{name} {query.usage}".strip() for name, query in QUERIES.items()}
    width = max(map(len, usage.values()))
    lines = [f"{usage[name]:<{width}}  {text}" for name, text in about.items()]
    tables = sorted(READABLE)
    return Result(QueryList(about, tables), [*lines, "", f"Tables: {', '.join(tables)}"])
