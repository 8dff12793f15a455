"""Commands that look into the data of a stack."""

from typing import Annotated

import typer

from mlflow_compose.cli.completion import among
from mlflow_compose.cli.context import choices, context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, csv or json.",
        autocompletion=among("table", "csv", "json"),
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Most rows to show, 0 for all. Default: 1000 in a table."
    ),
]


@app.command(epilog="Example: mlflow-compose sql best-runs accuracy")
def sql(  # noqa: PLR0913, PLR0917 - independent options
    ctx: typer.Context,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY", help="Name of a query with its arguments, or a SELECT in quotes."
        ),
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="List the queries and the tables; needs no .env.")
    ] = False,
    layout: Format = "table",
    limit: Limit = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="Open psql, or a shell for SQLite, that can only read.")
    ] = False,
) -> None:
    """Query runs and models in SQL, without changing them."""
    from mlflow_compose.actions.queries import list_queries, sql_shell
    from mlflow_compose.actions.queries import sql as run
    from mlflow_compose.queries import LAYOUTS

    context = context_of(ctx)
    if list_all:
        context.show(list_queries())
    if shell:
        if query or context.console.as_json:
            raise UsageError("--shell takes no query, and prints no JSON")
        engine = context.engine(context.chosen_plan())
        context.show(sql_shell(engine, terminal=context.console.is_interactive))
    if not query:
        raise UsageError("sql needs a query", hint="mlflow-compose sql --list shows queries")
    if layout not in LAYOUTS:
        raise UsageError(f"--format must be {choices(*LAYOUTS)}, got {layout}")
    engine = context.engine(context.chosen_plan())
    show = None if context.console.as_json else context.console.data
    context.show(run(engine, query, layout, limit, show))
