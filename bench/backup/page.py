"""Results as tables: a page of the documentation, and lines for the terminal."""

from collections.abc import Iterator, Sequence

from bench.backup.figures import MEMORY, SPEED, WRITES
from bench.backup.results import Results
from bench.figures import Figure
from bench.table import machine_text, markdown, spread, terminal

WRITTEN = "`make bench-backup` measures them and writes this page"
INTRODUCTION = f"""\
# Benchmark of backup and restore

[`backup` and `restore`](../how-to/backup.md) next to `pg_dump -Fc`, `pg_restore` and `rclone copy`
with its defaults, on the same data of one stack on Docker. {WRITTEN};
[how it does that](../architecture/performance.md#the-benchmark-of-backup-and-restore).
"""
DATA = """\
The artifacts are random bytes: of 100 MB, 64 are one file, and the others are files of 100 kB. The
database has 1,000 runs with 100 points of a metric. Values are medians, with the smallest and the
largest in parentheses. MB are 10⁶ bytes; MB/s are the artifacts divided by the whole time.
"""
ABOUT_SPEED = """\
## Speed

`backup` also computes the SHA-256 of every object and counts the rows in the dump. `restore` also
checks the snapshot, saves the stack as it is, stops MLflow, reads every object again after storing
it, starts MLflow and verifies the stack. The plain way does none of that. A second
snapshot copies no object: what it takes are starting four containers for PostgreSQL's programs,
dumping the database, and listing and linking the objects.
"""
RATIOS = "How many times faster than the plain way:\n"
ABOUT_MEMORY = """\
## Memory

Peak of the resident memory of a command, sampled every 50 ms. PostgreSQL's programs run in
containers, and are not included, but the `docker` commands that start them are.
"""
ABOUT_WRITES = """\
## Writes during a backup

Eight clients create a run, log a metric and store an artifact of 10 kB in a loop, while a first
snapshot is taken, and for the same time without a backup.
"""
Rows = Iterator[Sequence[str]]


def page(results: Results) -> str:
    """Return the page of the documentation."""
    parts = (
        INTRODUCTION,
        where(results),
        *(f"{note}\n" for note in results.notes),
        DATA,
        ABOUT_SPEED,
        markdown(rows(results, SPEED)),
        RATIOS,
        markdown(ratio_rows(results)),
        ABOUT_MEMORY,
        markdown(rows(results, MEMORY)),
        ABOUT_WRITES,
        markdown(rows(results, WRITES)),
    )
    return "\n".join(parts)


def where(results: Results) -> str:
    """Return when and on what the results were measured."""
    rounds = ", ".join(
        f"{count} {'round' if count == 1 else 'rounds'} of {size}"
        for size, count in results.rounds.items()
    )
    return f"{results.date}, {rounds}: {machine_text(results.machine)}\n"


def rows(results: Results, figures: Sequence[Figure]) -> Rows:
    """Yield a table of medians, with a column for each size."""
    yield ("", "unit", *results.rounds)
    for figure in figures:
        cells = [spread(results.of(figure.name, size)) for size in results.rounds]
        if any(cells):
            yield (figure.title, figure.unit, *cells)


def ratio_rows(results: Results) -> Rows:
    """Yield a table of ratios to the plain way."""
    yield ("", *results.rounds)
    for figure in SPEED:
        found = [results.times_faster(figure, size) for size in results.rounds]
        if any(found):
            yield (figure.title, *(f"{one:.2f}" if one else "" for one in found))


def lines(results: Results) -> str:
    """Return the tables for the terminal."""
    tables = [rows(results, figures) for figures in (SPEED, MEMORY, WRITES)]
    return "\n\n".join(terminal(one) for one in (*tables, ratio_rows(results)))
