"""Results as a value: what was measured of each size, and how it compares."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.figures import Figure
from bench.machine import Machine


@dataclass(frozen=True)
class Results:
    """Results of one run.

    Attributes:
        date: Day of the run.
        machine: What it ran on.
        rounds: Number of rounds of each size.
        values: Measured values of each figure by size.
        notes: What a reader must know.
    """

    date: str
    machine: Machine
    rounds: Mapping[str, int]
    values: Mapping[str, Mapping[str, Sequence[float]]]
    notes: Sequence[str] = ()

    def of(self, figure: str, size: str) -> Sequence[float]:
        """Return the values of a figure; empty if it was not measured."""
        return self.values.get(figure, {}).get(size, ())

    def times_faster(self, figure: Figure, size: str) -> float | None:
        """Return how many times faster than the plain way a command is."""
        ours, plain = self.of(figure.name, size), self.of(figure.baseline, size)
        if not ours or not plain:
            return None
        return statistics.median(plain) / statistics.median(ours)


def to_json(results: Results) -> str:
    """Return results as JSON."""
    return json.dumps({"version": 1, **asdict(results)}, indent=1) + "\n"


def from_json(text: str) -> Results:
    """Return the results that `to_json` wrote."""
    content = json.loads(text)
    del content["version"]
    return Results(**content)


def busy_note(load: float, cores: int) -> Sequence[str]:
    """Return what other programs did to the measurement, by the load before it."""
    if load < cores / 4:
        return ()
    found = f"before the start, {load:.1f} processes were running on {cores} cores"
    return (f"The machine was otherwise busy: {found}.",)
