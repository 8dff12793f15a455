"""Runs to be freed, their rows and their objects, on any stores."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.gc import Wish, gc
from mlflow_compose.result import NoProgress
from mlflow_compose.targets import target_of

from .inside import engine_of
from .running import CONTENT, Run, RunningStack
from .tool import environment
from .tracking import MLFLOW

GET_RUN, GET_EXPERIMENT = f"{MLFLOW}/runs/get", f"{MLFLOW}/experiments/get"
# Runs where MLflow runs: executes statements in the database.
SQL = """
import sys
from sqlalchemy import create_engine, text

with create_engine(sys.argv[1]).begin() as database:
    for statement in sys.argv[2:]:
        database.execute(text(statement))
"""
# Copies a run with its files, and makes the copies look as if they were deleted long ago.
COPY = """
import pathlib, shutil, sys, uuid
from sqlalchemy import MetaData, Table, create_engine

uri, folder, run, count, deleted = sys.argv[1:]
with create_engine(uri).begin() as database:
    runs = Table("runs", MetaData(), autoload_with=database)
    row = dict(database.execute(runs.select().where(runs.c.run_uuid == run)).mappings().one())
    for _ in range(int(count)):
        new = {"run_uuid": uuid.uuid4().hex, "lifecycle_stage": "deleted", "deleted_time": deleted}
        new["artifact_uri"] = row["artifact_uri"].replace(run, new["run_uuid"])
        top = pathlib.Path(folder, str(row["experiment_id"]))
        shutil.copytree(top / run, top / new["run_uuid"])
        database.execute(runs.insert().values({**row, **new}))
        print(new["run_uuid"])
"""
# Ends as soon as the database has fewer than a number of some runs.
WATCH = """
import sys, time
from sqlalchemy import create_engine, text

uri, query, limit = sys.argv[1:]
deadline = time.monotonic() + 120
with create_engine(uri).connect().execution_options(isolation_level="AUTOCOMMIT") as database:
    while database.execute(text(query)).scalar() >= int(limit) and time.monotonic() < deadline:
        time.sleep(0.005)
"""
LONG_AGO = 1_600_000_000_000
APPLY = ("gc", "--apply", "--yes", "--no-backup", "--json")


def delete_runs(stack: RunningStack, *runs: Run) -> None:
    """Delete runs as a user does."""
    for run in runs:
        stack.api.post("runs/delete", run_id=run.id)


def log_model(stack: RunningStack, run: Run) -> str:
    """Return the id of a new logged model of a run, which is ready, without objects."""
    about = {"experiment_id": run.experiment_id, "name": "model", "source_run_id": run.id}
    id_ = str(stack.api.post("logged-models", **about)["model"]["info"]["model_id"])
    ready = {"model_id": id_, "status": "LOGGED_MODEL_READY"}
    assert stack.api.call("PATCH", f"{MLFLOW}/logged-models/{id_}", json=ready).ok
    return id_


def backdate(stack: RunningStack, *runs: Run, model: str) -> None:
    """Change the time at which runs, their experiments and a logged model were deleted.

    So nothing of other tests, which has just been deleted, is freed with them.
    """
    runs_of, experiments_of = ids_of(runs), ", ".join(run.experiment_id for run in runs)
    statements = [
        f"UPDATE {table} SET {column} = {LONG_AGO} WHERE {key} IN ({ids})"  # noqa: S608
        for table, column, key, ids in (
            ("runs", "deleted_time", "run_uuid", runs_of),
            ("experiments", "last_update_time", "experiment_id", experiments_of),
            ("logged_models", "last_updated_timestamp_ms", "model_id", f"'{model}'"),
        )
    ]
    uri = engine_of(stack).stack.stores.backend_uri
    stack.execute("mlflow", "python", "-c", SQL, uri, *statements)


def ids_of(runs: Iterable[Run]) -> str:
    """Return the ids of runs as a list in SQL."""
    return ", ".join(f"'{run.id}'" for run in runs)


def existing(stack: RunningStack, *runs: Run) -> set[str]:
    """Return the ids of those runs that MLflow knows, deleted or not."""
    answers = {run.id: stack.api.call("GET", GET_RUN, params={"run_id": run.id}) for run in runs}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    return {id_ for id_, answer in answers.items() if answer.ok}


def copies_of(stack: RunningStack, run: Run, count: int) -> list[Run]:
    """Return copies of a run of a stack with a folder, which were deleted long ago."""
    stores = engine_of(stack).stack.stores
    values = (stores.backend_uri, stores.artifact_folder, run.id, str(count), str(LONG_AGO))
    printed = stack.execute("mlflow", "python", "-c", COPY, *values)
    return [replace(run, id=id_) for id_ in printed.split()]


def wait_for_fewer(stack: RunningStack, runs: list[Run], limit: int) -> None:
    """Wait until the database has fewer than `limit` of some runs."""
    query = f"SELECT count(*) FROM runs WHERE run_uuid IN ({ids_of(runs)})"  # noqa: S608
    uri = engine_of(stack).stack.stores.backend_uri
    stack.execute("mlflow", "python", "-c", WATCH, uri, query, str(limit))


def stored(stack: RunningStack) -> Mapping[str, str]:
    """Return the ETag of each object in the bucket, which changes with it, by key."""
    pages = stack.s3().get_paginator("list_objects_v2").paginate(Bucket=stack.bucket)
    return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", [])}


def collect_later(stack: RunningStack) -> Mapping[str, int]:
    """Free what nothing uses, as it would be freed in two days; return the numbers."""
    world = environment()
    loaded, paths = read_settings(stack.env_file, world)
    plan: Plan = load_plan(loaded, paths, world, target_of(stack.engine))
    later = datetime.now(UTC) + timedelta(days=2)
    wish = Wish(timedelta(days=30))
    result = gc(plan, engine_of(stack), NoProgress(), wish, later, before=None)
    return result.data.freed  # type: ignore[union-attr]


@dataclass(frozen=True)
class Garbage:
    """Runs in every state, and objects of every kind.

    Attributes:
        live: A run in use, which misses an artifact that it had.
        deleted: A run that was deleted long ago.
        recent: A run that was just deleted.
        registered: A run that was deleted long ago, although a registered model refers to it.
        emptied: A run in an experiment that was deleted long ago.
        model: Key of an object of a logged model that was deleted long ago.
        ghost: Id of a logged model in use that has no object.
        orphan: Key of an object of a run that does not exist.
        foreign: Keys of objects that MLflow did not write.
    """

    live: Run
    deleted: Run
    recent: Run
    registered: Run
    emptied: Run
    model: str
    ghost: str
    orphan: str
    foreign: list[str] = field(default_factory=list)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs."""
        return self.live, self.deleted, self.recent, self.registered, self.emptied


def make_garbage(stack: RunningStack) -> Garbage:
    """Log, delete and store all of it."""
    live, deleted, recent, registered, emptied = (stack.log_run() for _ in range(5))
    api, model = stack.api, f"model-{uuid.uuid4().hex}"
    gone, ghost = (log_model(stack, live) for _ in range(2))
    orphan = f"{live.experiment_id}/{uuid.uuid4().hex}/artifacts/é {uuid.uuid4().hex} %&+<>'.bin"
    found = Garbage(
        live,
        deleted,
        recent,
        registered,
        emptied,
        model=f"{live.experiment_id}/models/{gone}/artifacts/MLmodel",
        ghost=ghost,
        orphan=orphan,
        foreign=[f"{live.experiment_id}/notes.txt", f"data-{uuid.uuid4().hex}/{live.id}/x.csv"],
    )
    for key in (found.model, found.orphan, *found.foreign):
        api.artifact("PUT", key.replace("%", "%25"), CONTENT)
    listed = json.dumps([{"path": "gone.json", "type": "table"}])
    api.post("runs/set-tag", run_id=live.id, key="mlflow.loggedArtifacts", value=listed)
    api.post("registered-models/create", name=model)
    source = f"runs:/{registered.id}/model"
    api.post("model-versions/create", name=model, source=source, run_id=registered.id)
    delete_runs(stack, deleted, recent, registered)
    api.post("experiments/delete", experiment_id=emptied.experiment_id)
    assert api.call("DELETE", f"{MLFLOW}/logged-models/{gone}").ok
    backdate(stack, deleted, registered, emptied, model=gone)
    return found
