"""Results as a value: all measured values, their medians, and ratios to the plain stack."""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.figures import FIGURES, Better, Figure
from bench.machine import CLASS, Machine
from bench.subjects import PLAIN

DIGITS = 4


@dataclass(frozen=True)
class Report:
    """Results of one run of the benchmark.

    Attributes:
        date: Day of the run.
        rounds: Number of rounds.
        machine: What it ran on.
        subjects: Settings of each subject that differ from the defaults.
        values: Measured values of each figure by subject.
        notes: What a reader must know.
    """

    date: str
    rounds: int
    machine: Machine
    subjects: Mapping[str, Mapping[str, str]]
    values: Mapping[str, Mapping[str, Sequence[float]]]
    notes: Sequence[str] = ()

    def of(self, figure: str, subject: str) -> Sequence[float]:
        """Return the values of a figure of a subject; empty if it was not measured."""
        return self.values.get(figure, {}).get(subject, ())

    def median(self, figure: str, subject: str) -> float | None:
        """Return the median of a figure of a subject."""
        values = self.of(figure, subject)
        return statistics.median(values) if values else None

    def ratio(self, figure: Figure, subject: str) -> float | None:
        """Return how many times better than the plain stack a subject is."""
        ours = self.median(figure.name, subject)
        plain = self.median(figure.baseline or figure.name, PLAIN)
        if not figure.compared or not ours or not plain:
            return None
        return ours / plain if figure.better is Better.MORE else plain / ours

    def measured(self) -> Iterator[Figure]:
        """Yield the figures that have values."""
        return (figure for figure in FIGURES if self.values.get(figure.name))


def rounded(value: float) -> float:
    """Return a value with the digits that a measurement can have."""
    return float(f"{value:.{DIGITS}g}")


def to_json(report: Report) -> str:
    """Return a report as JSON, with medians and spread for other programs."""
    figures = {
        figure.name: {
            "unit": figure.unit,
            "better": figure.better.value,
            "subjects": {
                subject: summary(report, figure, subject) for subject in report.values[figure.name]
            },
        }
        for figure in report.measured()
    }
    content = {
        "version": 1,
        "date": report.date,
        "rounds": report.rounds,
        "machine": dict(report.machine),
        "subjects": report.subjects,
        "notes": list(report.notes),
        "figures": figures,
    }
    return json.dumps(content, indent=1) + "\n"


def summary(report: Report, figure: Figure, subject: str) -> Mapping[str, object]:
    """Return the values of a figure of a subject, and what follows from them."""
    values = report.of(figure.name, subject)
    ratio = report.ratio(figure, subject)
    optional = {
        "ratio": None if ratio is None else rounded(ratio),
        "target": figure.targets.get(subject),
        "limit": figure.limit,
    }
    return {
        "values": list(values),
        "median": rounded(statistics.median(values)),
        "min": min(values),
        "max": max(values),
        **{name: value for name, value in optional.items() if value is not None},
    }


def from_json(text: str) -> Report:
    """Return the report that `to_json` wrote."""
    content = json.loads(text)
    return Report(
        date=content["date"],
        rounds=content["rounds"],
        machine=content["machine"],
        subjects=content["subjects"],
        notes=content["notes"],
        values={
            name: {subject: one["values"] for subject, one in figure["subjects"].items()}
            for name, figure in content["figures"].items()
        },
    )


def changes(now: Report, before: Report) -> Iterator[tuple[Figure, str, float]]:
    """Yield how many times better than before each subject is.

    Ratios to the plain stack are compared if there are any: they depend less on the machine.
    """
    for figure in now.measured():
        for subject in now.values[figure.name]:
            change = better_by(figure, subject, now, before)
            if subject != PLAIN and change is not None:
                yield figure, subject, change


def better_by(figure: Figure, subject: str, now: Report, before: Report) -> float | None:
    """Return how many times better than before a figure of a subject is."""
    new, old = now.ratio(figure, subject), before.ratio(figure, subject)
    if new and old:
        return new / old
    new, old = now.median(figure.name, subject), before.median(figure.name, subject)
    if not new or not old:
        return None
    return new / old if figure.better is Better.MORE else old / new


def same_class(first: Machine, second: Machine) -> bool:
    """Return whether absolute values of two machines can be compared."""
    return all(first.get(name) == second.get(name) for name in CLASS)
