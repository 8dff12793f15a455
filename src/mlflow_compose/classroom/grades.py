"""The runs of a class as one table, for grading."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow_compose.classroom.cells import BOM, cell

COLUMNS = ("seat", "names", "experiment", "run_id", "run_name", "status", "started", "seconds")
MILLISECONDS = 1000


@dataclass(frozen=True)
class RunFacts:
    """A run as the database has it.

    Attributes:
        run_id: Id of the run.
        name: Its name.
        status: Its status, such as FINISHED.
        start_time: When it started, in milliseconds since 1970.
        end_time: When it ended, in milliseconds since 1970.
        experiment: Name of its experiment.
        workspace: Workspace of that.
        metrics: Latest values of its metrics.
        params: Its params.
    """

    run_id: str
    name: str | None
    status: str | None
    start_time: int | None
    end_time: int | None
    experiment: str
    workspace: str
    metrics: Mapping[str, object]
    params: Mapping[str, object]


@dataclass(frozen=True)
class GradedRun:
    """A run of a seat.

    Attributes:
        seat: Name of the seat.
        names: Names of its people.
        facts: Facts about the run.
    """

    seat: str
    names: str
    facts: RunFacts


def grades(runs: Sequence[GradedRun]) -> str:
    """Return the runs as CSV, with a column for each metric and param that any of them has."""
    metrics = sorted({key for run in runs for key in run.facts.metrics})
    params = sorted({key for run in runs for key in run.facts.params})
    text = io.StringIO()
    text.write(BOM)
    writer = csv.writer(text, lineterminator="\n")
    headings = (
        *COLUMNS,
        *(f"metric.{key}" for key in metrics),
        *(f"param.{key}" for key in params),
    )
    writer.writerow(map(cell, headings))
    for run in runs:
        values = [run.facts.metrics.get(key, "") for key in metrics]
        values += [run.facts.params.get(key, "") for key in params]
        writer.writerow(map(cell, (*_columns(run), *values)))
    return text.getvalue()


def _columns(run: GradedRun) -> Iterable[object]:
    facts = run.facts
    start, end, started = facts.start_time, facts.end_time, ""
    if start:
        started = datetime.fromtimestamp(start / MILLISECONDS, UTC).isoformat(timespec="seconds")
    seconds = round((end - start) / MILLISECONDS, 3) if start and end else ""
    texts = (facts.experiment, facts.run_id, facts.name or "", facts.status or "")
    return (run.seat, run.names, *texts, started, seconds)
