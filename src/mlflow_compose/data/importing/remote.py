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

# Each after those that it imports.
MODULES = (tables, table_groups, row_mapping, conflicts, merge, store, listing, main)
PROXY = "mlflow-artifacts:/"


@dataclass(frozen=True)
class Merged:
    """The result of merging a source's rows.

    Attributes:
        places: Artifact locations in the stack, by those in the source.
        source: Rows of the source by kind.
        before: Rows of it that were in the stack, by kind.
        after: Rows of it that are in the stack, by kind.
        left: What is not imported, one sentence each.
    """

    places: Mapping[str, str]
    source: Mapping[str, int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    left: Sequence[str]


def merge_rows(engine: Engine, source: Source, folder: Path, progress: Progress) -> Merged:
    """Merge the rows of a source; `folder` holds everything but its artifacts.

    Raises:
        SourceError: They cannot be merged.
    """
    stack = engine.stack
    request = {
        "action": "merge",
        "kind": source.kind,
        "root": artifact_root(stack),
        "backend": stack.stores.backend_uri,
    }
    items: list[Mapping[str, Any]] = []
    done = _ask(engine, request, progress, items, SharedFolder(folder))
    return Merged(places=dict(item["place"] for item in items), **done)


def stored(engine: Engine, places: Iterable[str], progress: Progress) -> Mapping[str, int]:
    """Return the sizes of the stack's objects of some experiments, by key.

    Args:
        engine: Engine of the stack.
        places: Keys below the experiments.
        progress: Receiver of progress.

    Raises:
        SourceError: They cannot be listed.
    """
    stores = engine.stack.stores
    request = {
        "action": "artifacts",
        "prefixes": sorted({f"{place.partition('/')[0]}/" for place in places}),
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
    }
    items: list[Mapping[str, Any]] = []
    _ask(engine, request, progress, items)
    return {key: size for item in items for key, size in item["objects"]}


def _ask(
    engine: Engine,
    request: Mapping[str, Any],
    progress: Progress,
    items: list[Mapping[str, Any]],
    folder: SharedFolder | None = None,
) -> Mapping[str, Any]:
    """Run the modules; fill `items` with the parts that they report, and return the rest."""
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
    """Return the root of all artifacts, as the stack's server writes it into its database."""
    return PROXY if stack.artifact_access == "proxied" else stack.stores.artifact_uri


def key_of(stack: Stack, place: str) -> str:
    """Return the key of a place in the stack; empty if it is not below its artifacts.

    A run that came while clients had another way to the artifacts names it by that way.
    """
    for root in (PROXY, f"{stack.stores.artifact_uri.rstrip('/')}/"):
        if place.startswith(root):
            return place.removeprefix(root).strip("/")
    return ""
