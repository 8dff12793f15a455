"""Results as a value: what was measured on each engine, and what follows from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bench.machine import Machine


@dataclass(frozen=True)
class Results:
    """Results of one run.

    Attributes:
        date: Day of the run.
        machine: What it ran on.
        seats: Seats with a server each.
        clients: Participants who share one server.
        seconds: For how long each of those logs one metric per second.
        values: Measured value of each figure by engine.
        notes: What a reader must know.
    """

    date: str
    machine: Machine
    seats: int
    clients: int
    seconds: int
    values: Mapping[str, Mapping[str, float]]
    notes: Sequence[str] = ()

    def of(self, figure: str, engine: str) -> float | None:
        """Return the value of a figure, None if it was not measured."""
        return self.values.get(engine, {}).get(figure)


def merged(earlier: Results, later: Results) -> Results:
    """Return the results of two runs of the same scale; values of the later one win."""
    engines = dict.fromkeys((*earlier.values, *later.values))
    values = {
        engine: {**earlier.values.get(engine, {}), **later.values.get(engine, {})}
        for engine in engines
    }
    notes = dict.fromkeys((*earlier.notes, *later.notes))
    return replace(later, values=values, notes=[*notes])


def to_json(results: Results) -> str:
    """Return results as JSON."""
    return json.dumps({"version": 1, **asdict(results)}, indent=1) + "\n"


def from_json(text: str) -> Results:
    """Return the results that `to_json` wrote."""
    content = json.loads(text)
    del content["version"]
    return Results(**content)
