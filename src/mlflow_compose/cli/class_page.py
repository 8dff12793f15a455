"""`class status` and `class serve`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import Context, context_of
from mlflow_compose.cli.signals import until_ctrl_c
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions.class_board import ClassBoard

app = typer.Typer()
# Seconds between two looks of `class status --watch`.
WATCH_EVERY = 3.0


@app.command(epilog="Example: mlflow-compose class status --watch")
def status(
    ctx: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing the seats until Ctrl-C.")
    ] = False,
) -> None:
    """Show the state of the seats: health, runs, last activity and storage."""
    from mlflow_compose.actions import class_page

    context = context_of(ctx)
    if watch and context.console.as_json:
        raise UsageError("--watch cannot be combined with --json")
    with _board(context, waits=not watch) as board:
        if watch:
            with until_ctrl_c():
                context.console.live(class_page.watch(board, lambda: time.sleep(WATCH_EVERY)))
            return
        result = class_page.status(board)
    context.show(result)


@app.command(epilog="Example: mlflow-compose class serve --address 0.0.0.0")
def serve(
    ctx: typer.Context,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address of this machine to listen on. Default: STACK_BIND_ADDRESS.",
        ),
    ] = None,
) -> None:
    """Serve a web page with the state of the seats, and buttons to restart and reset them.

    It answers on CLASS_PORT, asks for CLASS_PASSWORD, and runs until Ctrl-C.
    """
    from mlflow_compose.actions import class_page

    context = context_of(ctx)
    if context.console.as_json:
        raise UsageError("class serve cannot be combined with --json: it runs until Ctrl-C")
    plan = context.chosen_plan()
    with until_ctrl_c(), _board(context) as board:
        class_page.serve(
            plan,
            context.engine(plan),
            board,
            address=address,
            progress=context.console,
            announce=context.console.line,
        )


@contextmanager
def _board(context: Context, *, waits: bool = False) -> Iterator["ClassBoard"]:
    """Provide the board of the class, which may wait for the sizes of buckets."""
    from mlflow_compose.actions.class_board import ClassBoard

    board = ClassBoard(context.chosen_plan, context.engine, context.locked, waits=waits)
    try:
        yield board
    finally:
        board.close()
