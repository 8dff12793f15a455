"""Copy what only the mlflow service can reach: a SQLite file and a folder of artifacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from mlflow_compose.data.inside import copy_database, copy_folder, locations, shared, tables
from mlflow_compose.data.migration.buckets import conflict
from mlflow_compose.engines import Engine, RemoteError, run_modules
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import CopiedObjects
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

RETRY_HINT = "fix that and run the same command again"
BUNDLED_NOT_EMPTY_HINT = (
    "if it is an interrupted copy, mlflow-compose migrate-store --prune deletes it"
)
NOT_EMPTY_HINT = "choose an empty database, such as another PG_DATABASE in the --settings file"
# By the facts that the code inside reports.
FOLDER_HINTS = {
    "no_folder": "mount its disk; if no run has artifacts, "
    "mlflow-compose verify creates the folder",
    "link": "put the folder itself in place of the link, then run the same command again",
}
T = TypeVar("T")


@dataclass(frozen=True)
class _CopiedRuns:
    """The answer of the modules that copy a database: the number of rows by table."""

    rows: dict[str, int]


@dataclass(frozen=True)
class _Locations:
    """The answer of the module that reads artifact locations: their number by bucket."""

    buckets: dict[str, int]


def copy_runs(engine: Engine, old: Stack, progress: Progress) -> Mapping[str, int]:
    """Copy every row of a database and compare both; return the number of rows by table.

    Args:
        engine: Engine of the new stack, whose mlflow reaches both databases; the new one must be
            empty.
        old: Stack with the old database.
        progress: Receiver of progress.

    Raises:
        StoreError: The rows cannot be copied, or the databases differ after copying.
    """
    request = {"source": old.stores.backend_uri, "target": engine.stack.stores.backend_uri}
    rows = _run(engine, (tables, copy_database), request, progress, "runs", _CopiedRuns).rows
    if "runs" not in rows:
        raise StoreError(
            "the runs cannot be copied: the database has no table runs",
            hint="mlflow-compose verify shows whether the stack works",
        )
    return rows


def named_buckets(engine: Engine, progress: Progress) -> Mapping[str, int]:
    """Return the number of artifact locations in the stack's database, by the bucket they name.

    Raises:
        StoreError: They cannot be read.
    """
    request = {"backend": engine.stack.stores.backend_uri}
    modules, what = (tables, locations), "artifact locations"
    return _run(engine, modules, request, progress, what, _Locations, done="read").buckets


def copy_artifacts(engine: Engine, old: Stack, progress: Progress) -> CopiedObjects:
    """Copy every artifact of a folder into the bucket; compare each by its key and SHA-256.

    Args:
        engine: Engine of the new stack, whose mlflow reaches both.
        old: Stack with the folder of artifacts.
        progress: Receiver of progress.

    Raises:
        StoreError: The bucket has different objects under the same keys, or copying fails, or an
            object differs after copying.
    """
    request = {
        "folder": old.stores.artifact_folder,
        "bucket": engine.stack.stores.bucket,
        "backend": old.stores.backend_uri,
    }
    modules = (tables, shared, copy_folder)
    return _run(engine, modules, request, progress, "artifacts", CopiedObjects)


def _run(  # noqa: PLR0913, PLR0917 - independent values
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, str],
    progress: Progress,
    what: str,
    shape: type[T],
    done: str = "copied",
) -> T:
    """Run the modules where MLflow runs; return their result."""
    try:
        return run_modules(engine, modules, request, shape, on_progress=progress.detail)
    except RemoteError as error:
        raise _store_error(engine, f"the {what} cannot be {done}", error) from None


def _store_error(engine: Engine, problem: str, error: RemoteError) -> StoreError:
    """Return the error for runs or artifacts that cannot be copied or read, with a hint."""
    stack, facts = engine.stack, error.facts
    match facts:
        case {"conflicts": int(count), "first": str(first)}:
            own = stack.has("s3") and not stack.folders
            return conflict(stack.stores.bucket, count, first, own=own)
    hint = next((hint for fact, hint in FOLDER_HINTS.items() if fact in facts), RETRY_HINT)
    if facts.get("not_empty"):
        hint = BUNDLED_NOT_EMPTY_HINT if stack.has("postgres") else NOT_EMPTY_HINT
    return StoreError(f"{problem}: {error}", hint=hint)
