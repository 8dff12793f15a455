"""Commands that look into the data of a stack."""

from typing import Annotated

import typer

from mlflow_compose.cli.completion import among
from mlflow_compose.cli.context import choices, context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose sql best-runs accuracy")
def sql(
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
    layout: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="table, csv or json.",
            autocompletion=among("table", "csv", "json"),
        ),
    ] = "table",
    limit: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Most rows to show, 0 for all. Default: 1000 in a table."
        ),
    ] = None,
) -> None:
    """Query runs and models in SQL, without changing them."""
    from mlflow_compose.actions.queries import list_queries
    from mlflow_compose.actions.queries import sql as run
    from mlflow_compose.queries import LAYOUTS

    context = context_of(ctx)
    if list_all:
        context.show(list_queries())
    if not query:
        raise UsageError("sql needs a query", hint="mlflow-compose sql --list shows queries")
    if layout not in LAYOUTS:
        raise UsageError(f"--format must be {choices(*LAYOUTS)}, got {layout}")
    engine = context.engine(context.chosen_plan())
    show = None if context.console.as_json else context.console.data
    context.show(run(engine, query, layout, limit, show))
