"""Results as tables: a page of the documentation, and lines for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from bench.classroom.figures import (
    BUSY,
    DISK,
    FITTING,
    ISOLATION,
    MEMORY,
    SHARED,
    START,
)
from bench.classroom.fitting import fitting
from bench.classroom.promises import LIMITS
from bench.classroom.results import Results
from bench.figures import Figure
from bench.table import machine_text, markdown, number, terminal

INTRODUCTION = """\
# Benchmark of classes

[Classes](../tutorial/classroom.md) with a server for each seat, and with one server for all, with
the settings that `class create` chooses. `make bench-class` measures them and writes this page;
[how it does that](../architecture/performance.md#the-benchmark-of-classes).
"""
WHAT = """\
{date}: {machine}

{seats} seats; {clients} participants on a shared server. All clients run on the same machine, and
are part of what is measured. MB are MiB; memory is the proportional set size (PSS), which counts
shared memory once.
"""
ABOUT_START = """\
## Start

From `class create` without any data, with images and packages in place. At most as many seats start
at the same time as there are cores.
"""
ABOUT_MEMORY = """\
## Memory

In use, each participant has logged 100 metrics, stored and loaded an artifact of 5 MB, and
searched runs. All seats use the same files of one image, or of one installation, so that the code
of their programs is in memory once.
"""
ABOUT_FITTING = """\
A plain stack is [the one that stacks of this project are compared with](README.md): {plain:,.0f} MB
after load. Only memory is compared here; the machine's own needs are left out.
"""
ABOUT_DISK = """\
## Disk

Without the artifacts.
"""
ABOUT_BUSY = """\
## All seats busy

Every participant logs one metric per second, for a minute.
"""
ABOUT_ISOLATION = """\
## A seat beside a busy one

One client logs 400 metrics, each as soon as the one before is answered: first alone, then while
eight clients of another seat do the same without a pause. The benchmark fails if the median is more
than {slower:g} times as long.
"""
ABOUT_SHARED = """\
## A shared server

{clients} participants, each with a login and a workspace, log one metric per second at once, for
{seconds} s.
"""
Rows = Iterator[Sequence[str]]


def page(results: Results, plain: float) -> str:
    """Return the page of the documentation.

    Args:
        results: What was measured.
        plain: Memory of a plain stack in MB.
    """
    parts = (
        INTRODUCTION,
        filled(WHAT, results),
        *(f"{note}\n" for note in results.notes),
        *section(ABOUT_START, rows(results, START)),
        *section(ABOUT_MEMORY, rows(results, MEMORY)),
        *section(ABOUT_FITTING.format(plain=plain), fitting_rows(results, plain)),
        *section(ABOUT_DISK, rows(results, DISK)),
        *section(ABOUT_BUSY, rows(results, BUSY)),
        *section(ABOUT_ISOLATION.format(slower=LIMITS["slower"]), rows(results, ISOLATION)),
        *section(filled(ABOUT_SHARED, results), rows(results, SHARED)),
    )
    return "\n".join(parts)


def filled(text: str, results: Results) -> str:
    """Return a text with the scale of the results."""
    return text.format(
        date=results.date,
        machine=machine_text(results.machine),
        seats=results.seats,
        clients=results.clients,
        seconds=results.seconds,
    )


def section(about: str, table: Rows) -> Iterator[str]:
    """Yield a text and its table; nothing if the table is empty."""
    first, *rest = table
    if rest:
        yield about
        yield markdown(chain([first], rest))


def rows(results: Results, figures: Sequence[Figure]) -> Rows:
    """Yield a table of values, with a column for each engine."""
    yield from table(figures, {engine: dict(found) for engine, found in results.values.items()})


def fitting_rows(results: Results, plain: float) -> Rows:
    """Yield a table of how many plain stacks and seats fit, by memory."""
    yield from table(
        FITTING, {engine: fitting(results, engine, plain) for engine in results.values}
    )


def table(figures: Sequence[Figure], values: Mapping[str, Mapping[str, float]]) -> Rows:
    """Yield a table of the figures that some engine has."""
    yield ("", "unit", *values)
    for figure in figures:
        found = [column.get(figure.name) for column in values.values()]
        if any(value is not None for value in found):
            cells = ("" if value is None else number(value) for value in found)
            yield (figure.title, figure.unit, *cells)


def lines(results: Results, plain: float) -> str:
    """Return the tables for the terminal."""
    tables = (
        *(rows(results, figures) for figures in (START, MEMORY)),
        fitting_rows(results, plain),
        *(rows(results, figures) for figures in (DISK, BUSY, ISOLATION, SHARED)),
    )
    found = [[*one] for one in tables]
    # The first row has the names of the columns.
    return "\n\n".join(terminal(iter(one)) for one in found if one[1:])
