"""What is compared: the plain stack, and one record for each way to run ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

PLAIN = "plain"


class Kind(Enum):
    """How a subject runs."""

    PLAIN = "plain"
    DOCKER = "docker"
    LOCAL = "local"


class Part(Enum):
    """Groups of figures, in the order in which they are measured."""

    IDLE = "processor time while idle"
    METRICS = "log-metric, log-batch"
    SEARCH = "search in 100 runs"
    ARTIFACTS = "artifacts of 64 MB"
    MEMORY = "memory after load"
    COMMANDS = "--help, render, status, second up, verify"
    DATA = "5,000 runs, 100,000 points of a metric"
    RECOVERY = "kill -9 of a worker, then of the server"


# Measured once for each subject, not in every round.
ONCE = {Part.IDLE, Part.DATA}


@dataclass(frozen=True)
class Subject:
    """A stack to measure.

    Attributes:
        name: Key in results; the targets of figures use it.
        kind: How it runs.
        settings: Settings that differ from the defaults.
        every: It is measured in every round if this is 1, in every second one if it is 2.
        parts: What is measured, apart from its start.
    """

    name: str
    kind: Kind
    settings: Mapping[str, str] = field(default_factory=dict)
    every: int = 1
    parts: frozenset[Part] = frozenset(Part)


# All but the commands, which are the same in every stack on Docker.
STACK_ONLY = frozenset(Part) - {Part.COMMANDS}
SUBJECTS = (
    Subject(PLAIN, Kind.PLAIN),
    Subject("default", Kind.DOCKER),
    Subject("small", Kind.DOCKER, {"STACK_PROFILE": "small"}, every=2, parts=STACK_ONLY),
    Subject("fast", Kind.DOCKER, {"STACK_PROFILE": "fast"}, every=2, parts=STACK_ONLY),
    Subject("local", Kind.LOCAL, {"STACK_ENGINE": "local"}, every=2),
    Subject(
        "login", Kind.DOCKER, {"MLFLOW_AUTH": "basic"}, every=5, parts=frozenset({Part.METRICS})
    ),
    # Only what JupyterLab needs: nothing else differs.
    Subject("jupyter", Kind.DOCKER, {"JUPYTER": "true"}, every=5, parts=frozenset()),
)


def due(subject: Subject, number: int) -> bool:
    """Return whether a subject is measured in a round; rounds are counted from 1."""
    return (number - 1) % subject.every == 0
