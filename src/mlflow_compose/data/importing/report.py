"""Describe the artifacts that an import leaves out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from mlflow_compose.data.importing.remote import PROXY
from mlflow_compose.data.importing.transfer import Wanted


def outside(now: Mapping[str, str], places: Mapping[str, str]) -> list[str]:
    """Describe artifacts that the stack's rows have outside of its store."""
    return [
        f"the artifacts at {old}: in the stack they are at {new}"
        for old, new in now.items()
        if old not in places
    ]


def nowhere(places: Mapping[str, str], wanted: Wanted) -> list[str]:
    """Describe folders that do not exist: the artifacts may be somewhere else."""
    if places and not wanted.artifacts and not wanted.left:
        none = f"artifacts: none found for {len(places)} runs and models"
        return [f"{none}; name their folder with --artifacts"]
    named = Counter(map(_experiment, places))
    gone = Counter(_experiment(place) for place in wanted.nowhere if not place.startswith(PROXY))
    return [
        f"artifacts of {number} runs and models, if any: the folder {folder} does not exist; "
        "name another one with --artifacts"
        for folder, number in gone.items()
        if number == named[folder]
    ]


def _experiment(place: str) -> str:
    """Return the folder of the experiment of a run, a model or a trace."""
    folder = PurePosixPath(place).parent.parent
    return str(folder.parent if folder.name in {"models", "traces"} else folder)


def named(others: Sequence[str]) -> list[str]:
    """Describe artifacts that differ in the stack, which keeps its own."""
    return [f"artifact {key}: the stack has a different one" for key in others]
