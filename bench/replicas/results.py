"""Results as a value: what each number of tracking servers answered in each round."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.machine import Machine


@dataclass(frozen=True)
class Results:
    """Results of one run.

    Attributes:
        date: Day of the run.
        machine: What it ran on.
        rounds: How often everything was measured.
        values: Values of each figure in each round, by subject.
        notes: What a reader must know.
    """

    date: str
    machine: Machine
    rounds: int
    values: Mapping[str, Mapping[str, Sequence[float]]]
    notes: Sequence[str] = ()

    def median(self, subject: str, figure: str) -> float:
        """Return the median of a figure."""
        return statistics.median(self.values[subject][figure])

    def ratio(self, subject: str, figure: str) -> float:
        """Return how many times the value of the first subject it is."""
        return self.median(subject, figure) / self.median(next(iter(self.values)), figure)


def to_json(results: Results) -> str:
    """Return results as JSON."""
    return json.dumps({"version": 1, **asdict(results)}, indent=1) + "\n"


def from_json(text: str) -> Results:
    """Return the results that `to_json` wrote."""
    content = json.loads(text)
    del content["version"]
    return Results(**content)
