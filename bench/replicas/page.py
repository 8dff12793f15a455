"""Results as tables: a page of the documentation, and lines for the terminal."""

from collections.abc import Iterator, Mapping, Sequence

from bench.load import CLIENTS
from bench.replicas.measuring import SUBJECTS
from bench.replicas.results import Results
from bench.table import machine_text, markdown, number, terminal

INTRODUCTION = f"""\
# Benchmark of several tracking servers

What [`MLFLOW_REPLICAS`](../how-to/replicas.md) costs and brings on one machine, of a stack with a
login. Each server has two processes, unless said otherwise. `make bench-replicas` measures it and
writes this page.

All clients, servers and the database share the machine, so more servers cannot answer more once
all cores are busy. `log-metric` requests are sent by one client, and by {CLIENTS} at a time. With
several servers, requests pass through the proxy.
"""
WHAT = """\
{date}: {machine}
Medians of {rounds} rounds, each of which measures every row; ratios to one server in parentheses.
MB are MiB; memory is the proportional set size (PSS).
"""
FIGURES: Mapping[str, str] = {
    "one": "one client, requests/s",
    "many": f"{CLIENTS} clients, requests/s",
    "memory": "memory of all servers, MB",
}
EACH = f"{CLIENTS} clients, requests/s per server"


def page(results: Results) -> str:
    """Return the page of the documentation."""
    about = WHAT.format(
        date=results.date, machine=machine_text(results.machine), rounds=results.rounds
    )
    notes = [f"{note}\n" for note in results.notes]
    return "\n".join((INTRODUCTION, about, *notes, markdown(rows(results))))


def rows(results: Results) -> Iterator[Sequence[str]]:
    """Yield the medians of each subject with their ratios, and what each of its servers answers."""
    yield ("", *FIGURES.values(), EACH)
    for subject in results.values:
        each = results.median(subject, "many") / servers(subject)
        yield (subject, *(cell(results, subject, figure) for figure in FIGURES), number(each))


def servers(subject: str) -> int:
    """Return the number of tracking servers of a subject."""
    return int(SUBJECTS[subject].get("MLFLOW_REPLICAS", 1))


def cell(results: Results, subject: str, figure: str) -> str:
    """Return a median with its ratio."""
    return f"{number(results.median(subject, figure))} ({results.ratio(subject, figure):.2f})"


def lines(results: Results) -> str:
    """Return the table for the terminal."""
    return terminal(rows(results))
