"""`snapshots`."""

from datetime import datetime, timedelta

from mlflow_compose.actions.plan import Plan
from mlflow_compose.data.backup import Archived, Damaged, Snapshot, archives, snapshots
from mlflow_compose.payloads import SnapshotList, SnapshotState
from mlflow_compose.result import Result

MB = 1e6
NONE = "no snapshots; mlflow-compose backup takes one"
# An age is shown in the largest unit of which there are at least two.
UNITS = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1)}
SHOWN_FROM = 2


def list_snapshots(plan: Plan, now: datetime) -> Result:
    """List the snapshots of a stack's folder, the oldest first."""
    top = plan.paths.backups
    found = [state_of(each) for each in (*snapshots(top), *archives(top))]
    found.sort(key=lambda each: (each.created or "", each.name))
    width = max((len(each.name) for each in found), default=0)
    lines = [f"{each.name:<{width}}  {_line(each, now)}" for each in found]
    return Result(SnapshotList(found), lines or [NONE])


def state_of(found: Snapshot | Archived | Damaged) -> SnapshotState:
    """Return the payload of a snapshot, or of a folder that should be one."""
    if isinstance(found, Damaged):
        nothing = (None,) * 7
        return SnapshotState(found.name, *nothing, complete=False, problem=found.reason)
    manifest = found.manifest
    return SnapshotState(
        name=found.name,
        created=manifest.created,
        bytes=manifest.bytes,
        rows=manifest.database.rows,
        objects=manifest.objects.count,
        mlflow=manifest.mlflow,
        database=f"{manifest.database.kind} {manifest.database.server}",
        secrets=manifest.has_secrets,
        complete=True,
        problem=None,
    )


def contents_of(state: SnapshotState) -> str:
    """Return what is in a snapshot, in words."""
    runs = (state.rows or {}).get("runs", 0)
    return f"{_number(runs, 'run')}, {_number(state.objects or 0, 'object')}, {_size(state)}"


def _line(state: SnapshotState, now: datetime) -> str:
    if state.created is None:
        return str(state.problem)
    age = _age(now - datetime.fromisoformat(state.created))
    return f"{age} old, {contents_of(state)}, MLflow {state.mlflow}, {state.database}"


def _age(passed: timedelta) -> str:
    for unit, length in UNITS.items():
        if (count := passed // length) >= SHOWN_FROM:
            return f"{count} {unit}"
    return f"{max(int(passed.total_seconds()), 0)} seconds"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _size(state: SnapshotState) -> str:
    return f"{(state.bytes or 0) / MB:.1f} MB"
