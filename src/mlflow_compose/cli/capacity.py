"""`plan`."""

from typing import Annotated

import typer

from mlflow_compose.capacity.costs import GB
from mlflow_compose.capacity.demand import MOST, USUAL, usage_of
from mlflow_compose.cli.context import context_of
from mlflow_compose.errors import UsageError

app = typer.Typer()


RunsPerDay = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=MOST.runs_per_day,
        metavar="R",
        help=f"With --users: runs of each user on a day. Default: {USUAL.runs_per_day:g}.",
    ),
]
MetricsPerRun = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=MOST.metrics_per_run,
        metavar="M",
        help=f"With --users: values of metrics that a run logs. Default: {USUAL.metrics_per_run}.",
    ),
]
ArtifactGigabytes = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=MOST.artifact_bytes / GB,
        metavar="G",
        help="With --users: gigabytes of artifacts of a run. "
        f"Default: {USUAL.artifact_bytes / GB:g}.",
    ),
]


@app.command(epilog="Example: mlflow-compose plan --users 1000 --runs-per-day 20")
def plan(  # noqa: PLR0913, PLR0917 - independent options
    ctx: typer.Context,
    seats: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="N", help="Show what a machine for N seats needs."),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST.users, metavar="N", help="Show which servers N users of MLflow need."
        ),
    ] = None,
    runs_per_day: RunsPerDay = None,
    metrics_per_run: MetricsPerRun = None,
    artifact_gb: ArtifactGigabytes = None,
) -> None:
    """Show how many seats of a class fit on this machine, or which servers many users need."""
    from mlflow_compose.actions.capacity import show_capacity
    from mlflow_compose.actions.user_capacity import show_users

    context = context_of(ctx)
    if users is None:
        if any(one is not None for one in (runs_per_day, metrics_per_run, artifact_gb)):
            raise UsageError("--runs-per-day, --metrics-per-run and --artifact-gb need --users")
        context.show(show_capacity(context.env_file, seats))
    elif seats is not None:
        raise UsageError("--users cannot be combined with --seats")
    else:
        context.show(show_users(usage_of(users, runs_per_day, metrics_per_run, artifact_gb)))
