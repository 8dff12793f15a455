"""Results as a value: what each kind of request costs, and times under load."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from bench.machine import Machine
from bench.report import rounded


@dataclass(frozen=True)
class Point:
    """How a stack answers requests that arrive at random times.

    Attributes:
        rate: Requests per second that arrive, on average.
        answered: Requests per second that were answered.
        failed: Number of requests that failed.
        mean: Mean milliseconds until the answer.
        median: Median of them.
        p95: Milliseconds within which 95 of 100 requests are answered.
        p99: The same for 99 of 100.
        mlflow_cores: Cores that the tracking server used.
        postgres_cores: Cores that the database used.
        client_cores: Cores that the clients used.
        machine_cores: Cores that all programs of the machine used.
    """

    rate: float
    answered: float
    failed: float
    mean: float
    median: float
    p95: float
    p99: float
    mlflow_cores: float
    postgres_cores: float
    client_cores: float
    machine_cores: float

    @property
    def others(self) -> float:
        """Cores that other programs used."""
        used = self.mlflow_cores + self.postgres_cores + self.client_cores
        return self.machine_cores - used

    def rounded(self) -> "Point":
        """Return the same with the digits that a measurement can have."""
        return Point(**{name: rounded(value) for name, value in asdict(self).items()})


@dataclass(frozen=True)
class Results:
    """Results of one run.

    Attributes:
        date: Day of the run.
        machine: What it ran on.
        seconds: For how long each load was measured.
        values: Measured value of each figure by engine.
        points: Times under load, by engine.
        notes: What a reader must know.
    """

    date: str
    machine: Machine
    seconds: int
    values: Mapping[str, Mapping[str, float]]
    points: Mapping[str, Sequence[Point]]
    notes: Sequence[str] = ()

    def having(
        self, engine: str, values: Mapping[str, float], points: Sequence[Point]
    ) -> "Results":
        """Return the same with what was measured on an engine."""
        return replace(
            self,
            values={**self.values, engine: values},
            points={**self.points, engine: points},
        )


def merged(earlier: Results, later: Results) -> Results:
    """Return the results of two runs; values of the later one win, and quieter points."""
    notes = [*dict.fromkeys((*earlier.notes, *later.notes))]
    found = replace(later, values={**earlier.values, **later.values}, notes=notes)
    points = {
        engine: [*quietest((*earlier.points.get(engine, ()), *later.points.get(engine, ())))]
        for engine in found.values
    }
    return replace(found, points=points)


def quietest(points: Iterable[Point]) -> Iterator[Point]:
    """Yield one point for each rate: that of the least use of other programs."""
    for _, found in itertools.groupby(sorted(points, key=_rate), key=_rate):
        yield min(found, key=lambda point: point.others)


def _rate(point: Point) -> float:
    return point.rate


def to_json(results: Results) -> str:
    """Return results as JSON."""
    return json.dumps({"version": 1, **asdict(results)}, indent=1) + "\n"


def from_json(text: str) -> Results:
    """Return the results that `to_json` wrote."""
    content = json.loads(text)
    del content["version"]
    points = {
        engine: [Point(**one) for one in found] for engine, found in content.pop("points").items()
    }
    return Results(points=points, **content)
