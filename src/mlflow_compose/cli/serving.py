"""The command that serves registered models."""

from typing import Annotated

import typer

from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


@app.command(epilog="Example: mlflow-compose serve wine@champion")
def serve(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL@ALIAS", help="MODEL@ALIAS or MODEL/VERSION.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port. Default: the next free from 5100.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Memory limit, such as 1g (with Docker).")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the served models: version, health, URL.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Serve MODEL, or MODEL@ALIAS, no longer.")
    ] = False,
    wait_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until the model must answer.")
    ] = 900,
) -> None:
    """Serve the predictions of a registered model over HTTP.

    It gets an environment of its own with the requirements that were logged with it. Run the
    command again after its alias has moved.
    """
    from mlflow_compose.actions.served import list_models, parsed, stop_models
    from mlflow_compose.actions.serving import ServeRequest, serve

    context = context_of(ctx)
    if list_:
        plan = context.chosen_plan()
        context.show(list_models(plan, context.engine(plan)))
    if model is None:
        raise UsageError("serve takes the name of a model", hint="mlflow-compose serve MODEL@ALIAS")
    with context.locked():
        plan, engine_of, console = context.chosen_plan(), context.engine, context.console
        if stop:
            result = stop_models(plan, engine_of, console, model)
        else:
            request = ServeRequest(parsed(model), port, memory, wait_timeout)
            result = serve(plan, engine_of, console, request)
    context.show(result)
