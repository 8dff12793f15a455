"""What `gc` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class GarbageGroup:
    """Runs, models, traces or experiments with the same fate, and their objects."""

    count: int = key("Number of runs, models, traces or experiments; 0 for objects without any.")
    objects: int = key("Number of objects.")
    bytes: int = key("Their size in bytes.")


@dataclass(frozen=True)
class ExperimentSize:
    """An experiment and the objects of its runs, models and traces."""

    id: str = key("Experiment id.")
    name: str = key("Name, unique in its workspace.")
    workspace: str = key("Its workspace; default in a stack without workspaces.")
    is_deleted: bool = key("Whether it is deleted, but can be restored.")
    objects: int = key("Number of objects.")
    bytes: int = key("Their size in bytes.")


@dataclass(frozen=True)
class MissingObject:
    """An object that something in use refers to, but that does not exist."""

    kind: str = key("run, logged model, trace or model version.")
    id: str = key("Its id; name and number of a model version.")
    object_key: str = key("Key of the object, or the prefix of several.")


@dataclass(frozen=True)
class Garbage:
    """`gc`."""

    applied: bool = key("Whether anything could be deleted (--apply).")
    groups: Mapping[str, GarbageGroup] = key(
        "What was found before anything was freed. Freed by --apply: deleted_runs, "
        "deleted_models, deleted_experiments, orphans. Kept: recently_deleted, used (deleted, but "
        "used by a registered model or a data set), young_orphans, live, other."
    )
    freed: Mapping[str, int] = key(
        "What was freed: numbers of runs, models, experiments, objects and bytes."
    )
    backup: str | None = key("Backup that was made first, null if none was.")
    orphans_kept: str | None = key("Why orphans are never freed here, null if they are.")
    is_versioned: bool = key("Whether the bucket keeps what is deleted as earlier versions.")
    missing: Sequence[MissingObject] = key("Objects that do not exist.")
    experiments: Sequence[ExperimentSize] = key("Experiments, the largest first.")
