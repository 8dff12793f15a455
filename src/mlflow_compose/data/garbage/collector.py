"""Look for data that nothing uses, and free it, where MLflow runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlflow_compose.data.inside import (
    collect,
    fates,
    freeing,
    layout,
    listing,
    owners,
    survey,
    tables,
)
from mlflow_compose.engines import Engine, RemoteError, run_modules
from mlflow_compose.engines.answers import shaped
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import ExperimentSize, GarbageGroup, MissingObject
from mlflow_compose.result import Progress

MODULES = (tables, layout, listing, owners, fates, survey, freeing, collect)
HINT = "fix that and run the same command again; it continues where it stopped"


@dataclass(frozen=True)
class Limits:
    """What is too young to be freed.

    Attributes:
        deleted: What was deleted later is kept.
        orphans: Orphans that were written later are kept.
    """

    deleted: datetime
    orphans: datetime


@dataclass(frozen=True)
class _Answer:
    """The answer of the modules."""

    groups: dict[str, GarbageGroup]
    freed: dict[str, int]
    is_foreign: bool
    is_versioned: bool


@dataclass(frozen=True)
class Swept:
    """What was found, and what was freed.

    Attributes:
        groups: Numbers by group, before anything was freed.
        freed: Numbers of what was freed, by name.
        is_foreign: Whether no object is of a run in the database although there are orphans.
        is_versioned: Whether the bucket keeps what is deleted as earlier versions.
        experiments: Sizes of all experiments.
        missing: Objects that do not exist, although something in use refers to them.
    """

    groups: Mapping[str, GarbageGroup]
    freed: Mapping[str, int]
    is_foreign: bool
    is_versioned: bool
    experiments: list[ExperimentSize] = field(default_factory=list)
    missing: list[MissingObject] = field(default_factory=list)


def sweep(
    engine: Engine, limits: Limits, progress: Progress, *, apply: bool, with_orphans: bool = False
) -> Swept:
    """Look for data that nothing uses; with `apply`, free it.

    Args:
        engine: Engine of the stack.
        limits: What is too young to be freed.
        progress: Receiver of progress.
        apply: Whether to free it.
        with_orphans: Whether to free orphans, too.

    Raises:
        StoreError: The database or the objects cannot be read, or something cannot be freed.
    """
    experiments: list[ExperimentSize] = []
    missing: list[MissingObject] = []

    def take(item: Mapping[str, Any]) -> None:
        if "experiment" in item:
            experiments.append(shaped(item["experiment"], ExperimentSize))
        else:
            missing.append(shaped(item["missing"], MissingObject))

    stores = engine.stack.stores
    request = {
        "backend": stores.backend_uri,
        "artifact_root": stores.artifact_uri,
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
        "deleted": _milliseconds(limits.deleted),
        "orphans": _milliseconds(limits.orphans),
        "apply": apply,
        "with_orphans": with_orphans,
    }
    try:
        found = run_modules(
            engine, MODULES, request, _Answer, on_progress=progress.detail, on_item=take
        )
    except RemoteError as error:
        what = "everything was freed" if apply else "the artifacts could be counted"
        raise StoreError(f"not {what}: {error}", hint=HINT) from None
    return Swept(
        found.groups, found.freed, found.is_foreign, found.is_versioned, experiments, missing
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
