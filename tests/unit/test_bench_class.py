"""The benchmark of classes: its arithmetic and page; `make bench-class` runs the rest."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bench.classroom.arrivals import arrivals
from bench.classroom.clients import Waits, joined, percentile
from bench.classroom.figures import FIGURES
from bench.classroom.fitting import fitting, plain_memory
from bench.classroom.page import lines, page
from bench.classroom.planning import planned
from bench.classroom.promises import broken
from bench.classroom.results import Results, from_json, merged, to_json
from bench.classroom.room import DOCKER, LOCAL
from mlflow_compose.capacity.costs import SEATS
from tests.unit.samples import ROOT
from tests.unit.test_bench import MACHINE

PUBLISHED = ROOT / "docs" / "benchmark"
RESULTS = Results(
    date="2026-11-29",
    machine=MACHINE,
    seats=40,
    clients=60,
    seconds=120,
    values={
        DOCKER: {
            "healthy": 120.0,
            "memory_shared_used": 576.0,
            "memory_seat_used": 200.0,
            "memory_all_used": 8576.0,
            "slower": 2.5,
        },
        LOCAL: {"healthy": 100.0, "shared_failed": 0.0},
    },
    notes=["A remark."],
)


class Healthy(HTTPServer):
    """A server that is healthy once it serves, and knows whether it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer, bind_and_activate=False)
        self.server_bind()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def serve(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    """The answer of a healthy server."""

    server: Healthy

    def do_GET(self) -> None:
        self.server.asked.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_server_that_becomes_healthy_last_must_count() -> None:
    with Healthy() as late, Healthy() as early:
        early.serve()

        def start() -> None:
            # The other one was looked at before.
            assert early.asked.wait(10)
            late.serve()

        assert arrivals(start, [late.address, early.address]).keys() == {
            late.address,
            early.address,
        }
        for server in (late, early):
            server.shutdown()


@pytest.mark.parametrize(
    ("percent", "found"), [(0, 1.0), (50, 50.0), (99, 99.0), (99.5, 100.0), (100, 100.0)]
)
def test_a_percentile_must_be_a_value_that_so_many_do_not_exceed(
    percent: float, found: float
) -> None:
    assert percentile([float(one) for one in range(100, 0, -1)], percent) == found


def test_waits_of_several_clients_must_be_put_together() -> None:
    both = joined([Waits([0.1, 0.3]), Waits([0.2], ["refused"])])
    assert both == Waits([0.1, 0.3, 0.2], ["refused"])
    assert (both.median, both.p99) == (200.0, 300.0)


def test_memory_must_say_how_many_plain_stacks_and_seats_fit() -> None:
    """Of 24 GiB; in the memory of 40 seats and their servers fit 4 plain stacks of 2,000 MB."""
    assert fitting(RESULTS, DOCKER, 2000.0) == {"plain_fit": 12, "plain_equal": 4, "seats_fit": 120}
    assert fitting(RESULTS, LOCAL, 2000.0) == {}


def test_a_broken_promise_must_be_named() -> None:
    assert [*broken(RESULTS)] == []
    worse = replace(RESULTS, values={DOCKER: {"slower": 3.5}, LOCAL: {"shared_failed": 1.0}})
    assert [*broken(worse)] == [
        "docker: slower must be at most 3, got 3.5",
        "local: shared_failed must be at most 0, got 1",
    ]


def test_the_published_results_must_keep_the_promises() -> None:
    text = (PUBLISHED / "classroom.json").read_text(encoding="utf-8")
    found = from_json(text)
    assert [*broken(found)] == []
    for engine in (DOCKER, LOCAL):
        assert {"slower", "shared_failed", "busy_failed"} <= {*found.values[engine]}


def test_results_of_two_runs_must_be_merged() -> None:
    """A seat that was measured again, and another engine."""
    again = replace(RESULTS, values={DOCKER: {"slower": 2.0}, "other": {"healthy": 1.0}}, notes=[])
    found = merged(RESULTS, again)
    assert found.of("slower", DOCKER) == 2.0
    assert found.of("healthy", DOCKER) == 120.0
    assert [*found.values] == [DOCKER, LOCAL, "other"]
    assert found.notes == ["A remark."]


def test_results_must_survive_json() -> None:
    assert from_json(to_json(RESULTS)) == RESULTS


def test_names_of_figures_must_match() -> None:
    names = {figure.name for figure in FIGURES}
    assert len(names) == len(FIGURES)
    assert {name for found in RESULTS.values.values() for name in found} <= names


def test_the_page_must_have_a_column_for_each_engine() -> None:
    text = page(RESULTS, 2000.0)
    assert "2026-11-29: 2 cores (Example 9000), 24 GiB," in text
    assert "40 seats; 60 participants on a shared server" in text
    assert "|  | unit | docker | local |" in text
    assert "| `class create` reports that all are healthy | s | 120 | 100 |" in text
    assert "| plain stacks in the machine's memory |  | 12 |  |" in text
    assert "\nA remark.\n" in text


def test_what_was_not_measured_must_be_left_out_of_the_page() -> None:
    assert "## Disk" not in page(RESULTS, 2000.0)
    assert "## A shared server" in page(RESULTS, 2000.0)


def test_the_terminal_must_show_all_tables() -> None:
    text = lines(RESULTS, 2000.0)
    assert all(word in text for word in ("healthy", "after use", "plain stacks", "factor"))


@pytest.mark.skipif(not (PUBLISHED / "classroom.json").exists(), reason="nothing is published yet")
def test_the_published_page_must_be_that_of_the_published_results() -> None:
    """After a change of the page: `make bench-class` with --results and --publish."""
    text = (PUBLISHED / "classroom.json").read_text(encoding="utf-8")
    results = from_json(text)
    assert to_json(results) == text
    plain = plain_memory(PUBLISHED / "results.json")
    assert page(results, plain) == (PUBLISHED / "classroom.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not (PUBLISHED / "classroom.json").exists(), reason="nothing is published yet")
def test_planning_must_use_what_was_measured() -> None:
    """Rounded towards what is safe, and by less than a third."""
    results = from_json((PUBLISHED / "classroom.json").read_text(encoding="utf-8"))
    found = planned(results, DOCKER)
    fewer = "requests_per_core"
    for name, measured in found.items():
        assumed = getattr(SEATS, name)
        low, high = sorted((measured, measured / 1.34 if name == fewer else measured * 1.34))
        assert low <= assumed <= high, name
