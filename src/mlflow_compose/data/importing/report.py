"""Describe the artifacts that an import leaves out."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from mlflow_compose.data.importing.remote import PROXY, key_of
from mlflow_compose.data.importing.transfer import ArtifactIndex
from mlflow_compose.stack import Stack


def external(stack: Stack, locations: Mapping[str, Sequence[str]]) -> list[str]:
    """Describe artifacts that the stack's rows refer to outside of its store."""
    return [
        f"the artifacts at {old}: the stack refers to {one} instead"
        for old, new in locations.items()
        for one in new
        if not key_of(stack, one)
    ]


def missing_folders(prefixes: Collection[str], index: ArtifactIndex) -> list[str]:
    """Describe artifact folders that do not exist; the user may name another one."""
    if prefixes and not index.artifacts and not index.skipped:
        text = f"artifacts: none found for {len(prefixes)} runs and models"
        return [f"{text}; name their folder with --artifacts"]
    total = Counter(map(_experiment, prefixes))
    missing = Counter(
        _experiment(location) for location in index.missing if not location.startswith(PROXY)
    )
    return [
        f"artifacts of {number} runs and models, if any: the folder {folder} does not exist; "
        "name another one with --artifacts"
        for folder, number in missing.items()
        if number == total[folder]
    ]


def _experiment(location: str) -> str:
    """Return the folder of the experiment of a run, a model or a trace."""
    folder = PurePosixPath(location).parent.parent
    return str(folder.parent if folder.name in {"models", "traces"} else folder)


def conflicting(keys: Sequence[str], index: ArtifactIndex, objects: Mapping[str, int]) -> list[str]:
    """Describe artifacts that differ in the stack, which keeps its own.

    Args:
        keys: Keys of these artifacts.
        index: Artifacts of the source.
        objects: Size of the stack's objects, by key.
    """
    return [
        f"artifact {key}: the stack has a different one ({objects[key]} instead of "
        f"{index.artifacts[key].size} bytes); to import it, delete that one in the stack and run "
        "the same command again"
        for key in keys
    ]
