"""A report as tables: Markdown for the documentation, and lines for the terminal."""

import statistics
from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.machine import Machine
from bench.report import Report, changes, same_class
from bench.subjects import PLAIN

# Changes below this are noise.
NOISE = 0.05
TITLE = "# Benchmark\n"
# A sentence of every page, by which an earlier one is recognized.
WRITTEN = "`make bench` measures them and writes this page"
INTRODUCTION = f"""\
{TITLE}
Stacks of this project next to [a plain Compose file](../../bench/plain/docker-compose.yaml) that
runs the same versions with MLflow's defaults. {WRITTEN};
[how it does that](../architecture/performance.md#the-benchmark).
"""
RATIOS = """\
## How many times better than the plain stack

Ratios of medians of the same run, with targets in parentheses; ratios that reach them are bold. An
artifact that goes directly to the S3 server is compared with one through the plain server.

![Ratios to the plain stack](ratios.svg)
"""
MEDIANS = """\
## Medians

With the smallest and the largest value in parentheses. MB are MiB; memory is the proportional set
size (PSS), which counts shared memory once.
"""


def page(report: Report) -> str:
    """Return the page of the documentation."""
    parts = (
        INTRODUCTION,
        machine_line(report),
        settings_lines(report),
        RATIOS,
        markdown(ratio_rows(report)),
        MEDIANS,
        markdown(median_rows(report)),
        *(f"- {note}" for note in report.notes),
    )
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def is_page(text: str) -> bool:
    """Return whether a text is a page that this module wrote."""
    return text.startswith(TITLE) and WRITTEN in text


def machine_line(report: Report) -> str:
    """Return when and on what the report was made."""
    times = "1 round" if report.rounds == 1 else f"up to {report.rounds} rounds"
    return f"{report.date}, {times}: {machine_text(report.machine)}\n"


def machine_text(machine: Machine) -> str:
    """Return a machine in a sentence."""
    return (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB,\n"
        f"Linux {machine['kernel']}, Docker {machine['docker']}, MLflow {machine['mlflow']}."
    )


def settings_lines(report: Report) -> str:
    """Return what distinguishes the subjects."""
    lines = [
        f"- {name}: " + ", ".join(f"`{key}={value}`" for key, value in settings.items())
        for name, settings in report.subjects.items()
        if settings
    ]
    return "".join(f"{line}\n" for line in lines)


def subjects(report: Report) -> list[str]:
    """Return the names of our stacks."""
    return [name for name in report.subjects if name != PLAIN]


def ratio_rows(report: Report) -> Iterator[Sequence[str]]:
    """Yield a table of ratios to the plain stack."""
    figures = list(report.measured())
    names = [name for name in subjects(report) if any(report.ratio(one, name) for one in figures)]
    yield ("", *names)
    for figure in figures:
        cells = [ratio_cell(report, figure, name) for name in names]
        if any(cells):
            yield (figure.title, *cells)


def ratio_cell(report: Report, figure: Figure, subject: str) -> str:
    """Return a ratio and its target; bold if it is reached."""
    ratio, target = report.ratio(figure, subject), figure.targets.get(subject)
    if ratio is None:
        return ""
    if target is None:
        return f"{ratio:.2f}"
    text = f"**{ratio:.2f}**" if ratio >= target else f"{ratio:.2f}"
    return f"{text} ({target:g})"


def median_rows(report: Report) -> Iterator[Sequence[str]]:
    """Yield a table of medians with spread."""
    names = list(report.subjects)
    yield ("", "unit", *names)
    for figure in report.measured():
        title = figure.title + (f", at most {figure.limit:g}" if figure.limit else "")
        yield (title, figure.unit, *(median_cell(report, figure, name) for name in names))


def median_cell(report: Report, figure: Figure, subject: str) -> str:
    """Return a median with the smallest and largest value."""
    return spread(report.of(figure.name, subject))


def spread(values: Sequence[float]) -> str:
    """Return the median of values with the smallest and largest; empty without values."""
    if not values:
        return ""
    median = statistics.median(values)
    if len(values) == 1 or min(values) == max(values):
        return number(median)
    return f"{number(median)} ({number(min(values))}–{number(max(values))})"  # noqa: RUF001


def number(value: float) -> str:
    """Return a value with about three digits."""
    if value == 0 or abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(rows: Iterator[Sequence[str]]) -> str:
    """Return rows as a Markdown table."""
    first, *rest = rows
    lines = [first, ["---"] * len(first), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal(rows: Iterator[Sequence[str]]) -> str:
    """Return rows as aligned columns."""
    found = [tuple(cell.replace("**", "") for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in found
    )
    return "\n".join(line.rstrip() for line in lines)


def changed(now: Report, before: Report) -> Iterator[str]:
    """Yield what has changed since an earlier report."""
    yield f"Changes since {before.date} of more than {NOISE:.0%}:"
    if not same_class(now.machine, before.machine):
        yield "  another machine: only ratios to the plain stack are comparable"
    for figure, subject, change in changes(now, before):
        if abs(change - 1) > NOISE:
            word = "better" if change > 1 else "worse"
            by = change if change > 1 else 1 / change
            yield f"  {subject}: {figure.title}: {by:.2f} times {word}"
