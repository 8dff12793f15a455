"""Merge rows and list artifacts where MLflow runs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlflow_compose.data.importing.source import Source
from mlflow_compose.data.inside import (
    conflicts,
    damaged,
    listing,
    main,
    merge,
    row_mapping,
    scratch,
    store,
    table_groups,
    tables,
)
from mlflow_compose.engines import Engine, RemoteError, SharedFolder, run_modules, shaped
from mlflow_compose.engines.answers import MALFORMED
from mlflow_compose.errors import SourceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Each module after those that it imports.
MODULES = (
    tables,
    table_groups,
    row_mapping,
    conflicts,
    merge,
    damaged,
    scratch,
    store,
    listing,
    main,
)
PROXY = "mlflow-artifacts:/"
STACK_HINT = "mlflow-compose verify shows whether the stack works"
DAMAGED_HINT = "repair these files or move them away, then run the same command again"
WORKSPACES_HINT = "set MLFLOW_WORKSPACES=true in .env, then mlflow-compose up"
# Key of everything in an experiment.
TOP = re.compile(r"(workspaces/[^/]+/)?[^/]+/")
T = TypeVar("T")


@dataclass(frozen=True)
class Merged:
    """The result of merging a source's rows.

    Attributes:
        locations: Artifact locations in the stack, by the one in the source that they are
            imported from.
        source: Number of rows in the source, by kind.
        before: Number of these that were in the stack before, by kind.
        after: Number of these that are in the stack now, by kind.
        skipped: What is not imported, one sentence each.
        lost: What is missing without being counted above, one sentence each, by kind.
    """

    locations: Mapping[str, Sequence[str]]
    source: Mapping[str, int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    skipped: Sequence[str]
    lost: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class _Counts:
    """The answer of the merge; the attributes are those of `Merged`."""

    source: dict[str, int]
    before: dict[str, int]
    after: dict[str, int]
    lost: dict[str, list[str]]


@dataclass(frozen=True)
class _Objects:
    """A part of the list of objects: keys and sizes."""

    objects: list[tuple[str, int]]


@dataclass(frozen=True)
class _Nothing:
    """The answer of the list of objects, which is sent in parts."""


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
        "workspaces": stack.workspaces,
        "backend": stack.stores.backend_uri,
    }
    locations: dict[str, Sequence[str]] = {}
    skipped: list[str] = []

    def add(item: object) -> None:
        match item:
            case {"location": [str(old), [*new]]}:
                locations[old] = shaped(new, list[str])
            case {"skipped": str(text)}:
                skipped.append(stack.mask(text))
            case _:
                raise RemoteError(f"{MALFORMED}: unknown item")

    counts = _run(engine, request, _Counts, progress, add, SharedFolder(folder))
    # A kind that was not counted in the stack is missing there.
    before, after = (
        {kind: found.get(kind, 0) for kind in counts.source}
        for found in (counts.before, counts.after)
    )
    lost = {kind: [*map(stack.mask, texts)] for kind, texts in counts.lost.items()}
    return Merged(locations, counts.source, before, after, skipped, lost)


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
        "prefixes": sorted({found[0] for key in keys if (found := TOP.match(f"{key}/"))}),
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
    }
    sizes: dict[str, int] = {}

    def add(item: object) -> None:
        sizes.update(shaped(item, _Objects).objects)

    _run(engine, request, _Nothing, progress, add)
    return sizes


def _run(  # noqa: PLR0913, PLR0917 - independent values
    engine: Engine,
    request: Mapping[str, Any],
    shape: type[T],
    progress: Progress,
    on_item: Callable[[object], None],
    folder: SharedFolder | None = None,
) -> T:
    """Run the modules; return their result without the parts that `on_item` gets."""
    try:
        return run_modules(
            engine,
            MODULES,
            request,
            shape,
            folder=folder,
            on_progress=progress.detail,
            on_item=on_item,
        )
    except RemoteError as error:
        hints = {"damaged": DAMAGED_HINT, "off": WORKSPACES_HINT}
        found = [hint for fact, hint in hints.items() if error.facts.get(fact)]
        raise SourceError(str(error), hint=found[0] if found else STACK_HINT) from None


def artifact_root(stack: Stack) -> str:
    """Return the artifact root, as the stack's server writes it into its database."""
    return PROXY if stack.artifact_access == "proxied" else stack.stores.artifact_uri


def keys_of(stack: Stack, locations: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the keys in the stack by artifact location in the source."""
    found = {
        old: [key for key in (key_of(stack, one) for one in new) if key]
        for old, new in locations.items()
    }
    return {old: keys for old, keys in found.items() if keys}


def key_of(stack: Stack, location: str) -> str:
    """Return the key of a location in the stack; empty if it is outside of the artifact root.

    A run keeps its location when `MLFLOW_ARTIFACT_ACCESS` changes, so both roots are possible.
    """
    for root in (PROXY, f"{stack.stores.artifact_uri.rstrip('/')}/"):
        if location.startswith(root):
            return location.removeprefix(root).strip("/")
    return ""
