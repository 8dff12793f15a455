"""Merge rows and list artifacts where MLflow runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_compose.data.importing.source import Source
from mlflow_compose.data.inside import (
    conflicts,
    listing,
    main,
    merge,
    row_mapping,
    store,
    table_groups,
    tables,
)
from mlflow_compose.engines import Engine, RemoteError, SharedFolder, run_modules
from mlflow_compose.errors import SourceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Each module after those that it imports.
MODULES = (tables, table_groups, row_mapping, conflicts, merge, store, listing, main)
PROXY = "mlflow-artifacts:/"


@dataclass(frozen=True)
class Merged:
    """The result of merging a source's rows.

    Attributes:
        locations: Artifact locations in the stack, by those in the source.
        source: Number of rows in the source, by kind.
        before: Number of these that were in the stack before, by kind.
        after: Number of these that are in the stack now, by kind.
        skipped: What is not imported, one sentence each.
    """

    locations: Mapping[str, str]
    source: Mapping[str, int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    skipped: Sequence[str]


def merge_rows(engine: Engine, source: Source, folder: Path, progress: Progress) -> Merged:
    """Merge the rows of a source; `folder` holds everything but its artifacts.

    Raises:
        SourceError: The rows cannot be merged.
    """
    stack = engine.stack
    request = {
        "action": "merge",
        "kind": source.kind,
        "root": artifact_root(stack),
        "backend": stack.stores.backend_uri,
    }
    items: list[Mapping[str, Any]] = []
    done = _run(engine, request, progress, items, SharedFolder(folder))
    return Merged(locations=dict(item["location"] for item in items), **done)


def stored_objects(engine: Engine, keys: Iterable[str], progress: Progress) -> Mapping[str, int]:
    """Return the sizes of objects in the stack by key, for some experiments.

    Args:
        engine: Engine of the stack.
        keys: Keys of any objects of these experiments.
        progress: Receiver of progress.

    Raises:
        SourceError: The objects cannot be listed.
    """
    stores = engine.stack.stores
    request = {
        "action": "artifacts",
        "prefixes": sorted({f"{key.partition('/')[0]}/" for key in keys}),
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
    }
    items: list[Mapping[str, Any]] = []
    _run(engine, request, progress, items)
    return {key: size for item in items for key, size in item["objects"]}


def _run(
    engine: Engine,
    request: Mapping[str, Any],
    progress: Progress,
    items: list[Mapping[str, Any]],
    folder: SharedFolder | None = None,
) -> Mapping[str, Any]:
    """Run the modules; append the parts of their result to `items`, and return the rest."""
    try:
        done: Mapping[str, Any] = run_modules(
            engine,
            MODULES,
            request,
            folder=folder,
            on_progress=progress.detail,
            on_item=items.append,
        )
    except RemoteError as error:
        raise SourceError(
            str(error), hint="mlflow-compose verify shows whether the stack is well"
        ) from None
    return done


def artifact_root(stack: Stack) -> str:
    """Return the artifact root, as the stack's server writes it into its database."""
    return PROXY if stack.artifact_access == "proxied" else stack.stores.artifact_uri


def key_of(stack: Stack, location: str) -> str:
    """Return the key of a location in the stack; empty if it is outside of the artifact root.

    A run keeps its location when `MLFLOW_ARTIFACT_ACCESS` changes, so both roots are possible.
    """
    for root in (PROXY, f"{stack.stores.artifact_uri.rstrip('/')}/"):
        if location.startswith(root):
            return location.removeprefix(root).strip("/")
    return ""
