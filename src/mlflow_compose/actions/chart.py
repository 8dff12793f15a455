"""`render --target helm`: the chart, and the commands that install it."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlflow_compose.actions.files import data_of, lines_of, write_rendering
from mlflow_compose.actions.notes import ignored_notes
from mlflow_compose.actions.plan import Plan
from mlflow_compose.paths import SECRETS_FILE
from mlflow_compose.result import Result
from mlflow_compose.stack import place_of
from mlflow_compose.stack.components.mlflow import NAME as MLFLOW

PAGE = "docs/how-to/helm.md"


def render_chart(plan: Plan, folder: Path) -> Result:
    """Write the chart into `folder`, and print the commands that install it.

    Raises:
        UsageError: A store is one that pods cannot share.
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand.
    """
    done, install = write_rendering(plan, folder), [*_commands(plan, folder)]
    notes = [*_notes(plan)]
    lines = [*lines_of(done, folder), *notes, "", "to install the chart:", *install]
    return Result(replace(data_of(done, folder), install=install), lines)


def _notes(plan: Plan) -> Iterator[str]:
    yield from ignored_notes(plan)
    server = plan.stack.service(MLFLOW)
    if server.build:
        yield f"the cluster needs the image {server.image}, which is built here ({PAGE})"


def _commands(plan: Plan, folder: Path) -> Iterator[str]:
    place = place_of(plan.loaded.settings)
    override = folder / plan.target.override
    values = ["--values", str(override)] if override.exists() else []
    # On the server: otherwise, kubectl keeps a second copy of them in an annotation.
    apply = ["apply", "--server-side", *place.within]
    install = ["upgrade", "--install", place.release, str(folder), *place.within, *values]
    # Otherwise, Helm keeps the user's values of the last time if none are given.
    wait = ["--reset-values", "--wait", "--wait-for-jobs"]
    for command in (
        [*place.kubectl, "create", "namespace", place.name],
        [*place.kubectl, *apply, "--filename", str(folder / SECRETS_FILE)],
        [*place.helm, *install, *wait],
    ):
        yield shlex.join(command)
