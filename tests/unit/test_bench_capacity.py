"""The benchmark of capacity: its arithmetic and page, and what `plan --users` assumes."""

import itertools
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest

from bench.capacity import cost, traffic
from bench.capacity.cost import KINDS, SERVICES, costs
from bench.capacity.measuring import loaded
from bench.capacity.modelled import modelled
from bench.capacity.page import lines, page
from bench.capacity.planning import planned
from bench.capacity.results import Point, Results, from_json, merged, to_json
from bench.capacity.traffic import Traffic
from bench.classroom import results as classroom
from bench.classroom.room import ENGINES, LOCAL
from bench.load import Api
from bench.processes import MEBIBYTE
from bench.stack import Stack
from mlflow_compose.capacity.costs import SERVER
from tests.unit.samples import ROOT
from tests.unit.test_bench import MACHINE

PUBLISHED = ROOT / "docs" / "benchmark"
CAPACITY = PUBLISHED / "capacity.json"
# By which factor times may differ from what the queue says; and the p99 of a class, whose people
# all start at once.
FACTOR, AT_ONCE = 2, 5
# MLFLOW_WORKERS of a class that shares a server.
WORKERS = 2
# Rounded up, and by less than a third.
MOST = 1.34
POINT = Point(
    rate=50,
    answered=50,
    failed=0,
    mean=12,
    median=10,
    p95=20,
    p99=30,
    mlflow_cores=0.4,
    postgres_cores=0.05,
    client_cores=0.05,
    machine_cores=0.6,
)


def published() -> Results:
    return from_json(CAPACITY.read_text(encoding="utf-8"))


def test_requests_must_arrive_at_their_rate_and_at_random() -> None:
    times = [*Traffic(rate=20, seconds=500, seed=1).arrivals()]
    assert times == sorted(times)
    assert len(times) == pytest.approx(20 * 500, rel=0.05)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    # Of an exponential distribution, more than a third is longer than the mean.
    assert sum(gap > 1 / 20 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_the_same_seed_must_have_the_same_arrivals() -> None:
    one, other = (Traffic(rate=20, seconds=5, seed=seed) for seed in (0, 1))
    assert [*one.arrivals()] == [*one.arrivals()] != [*other.arrivals()]


def test_the_model_must_count_all_processor_time_of_a_request() -> None:
    """Half a core for 50 requests per second: 10 ms each, of which few wait."""
    assert modelled(POINT, 2).median == pytest.approx(10)
    assert modelled(POINT, 2).p99 > 10
    assert POINT.others == pytest.approx(0.1)


class Answer(BaseHTTPRequestHandler):
    """Answers of a tracking server to any request."""

    protocol_version = "HTTP/1.1"
    # Headers and body in one packet: the second of two would wait for an acknowledgment.
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"run": {"info": {"run_id": "1"}}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A stack that is this process."""

    # Of all clients that connect at once.
    request_queue_size = 128
    login = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def services(self) -> dict[str, int]:
        return dict.fromkeys(SERVICES, os.getpid())


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield cast("Stack", server)
        server.shutdown()


def test_every_kind_of_request_must_be_measured(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "COUNT", 5)
    found = dict(costs(stack, Api(stack.url, None)))
    assert {f"{kind}_{part}" for kind in KINDS for part in ("mlflow_cpu", "bytes")} <= {*found}
    # Headers and bodies in both directions.
    assert 200 < found["metric_bytes"] < found["batch_bytes"]


def test_a_load_must_be_answered_at_its_rate(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "SETTLED", 0.2)
    point = loaded(stack, rate=50, seconds=2)
    assert point.failed == 0
    assert 50 / 2 < point.answered < 50 * 2
    assert 0 < point.median <= point.p95 <= point.p99


def test_results_must_survive_json() -> None:
    results = Results("2026-11-29", MACHINE, 30, {LOCAL: {"a": 1.0}}, {LOCAL: [POINT]}, ["Note."])
    assert from_json(to_json(results)) == results
    assert replace(results, values={}, points={}).having(LOCAL, {"a": 1.0}, [POINT]) == results


def test_of_two_runs_the_quieter_points_must_count() -> None:
    results = Results("2026-11-29", MACHINE, 30, {LOCAL: {"a": 1.0}}, {LOCAL: [POINT]}, ["One."])
    busy = replace(POINT, machine_cores=2.0, median=99)
    other = replace(POINT, rate=20)
    later = replace(
        results, values={LOCAL: {"a": 2.0}}, points={LOCAL: [other, busy]}, notes=["Two."]
    )
    found = merged(results, later)
    assert found.points == {LOCAL: [other, POINT]}
    assert found.values == {LOCAL: {"a": 2.0}}
    assert found.notes == ["One.", "Two."]


def test_the_published_page_must_be_that_of_the_published_results() -> None:
    """After a change of the page: `make bench-capacity` with --results and --publish."""
    results = published()
    assert to_json(results) == CAPACITY.read_text(encoding="utf-8")
    assert page(results) == (PUBLISHED / "capacity.md").read_text(encoding="utf-8")
    assert "log a metric" in lines(results)


def differ(found: float, expected: float) -> float:
    """Return by which factor two times differ."""
    return max(found / expected, expected / found)


def test_the_queue_must_agree_with_measured_times_within_the_stated_factor() -> None:
    """`docs/architecture/capacity.md` states it."""
    results = published()
    points = [(engine, one) for engine, found in results.points.items() for one in found]
    assert {round(point.rate) for _, point in points} >= {20, 60, 100}
    for engine, point in points:
        expected = modelled(point, round(results.values[engine]["processes"]))
        assert differ(point.median, expected.median) <= FACTOR, point
        assert differ(point.p99, expected.p99) <= FACTOR, point
    text = (ROOT / "docs" / "architecture" / "capacity.md").read_text(encoding="utf-8")
    assert f"at most a factor of {FACTOR}" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_the_queue_must_agree_with_the_measured_class(engine: str) -> None:
    """60 people on one server, who send a request per second each."""
    found = classroom.from_json((PUBLISHED / "classroom.json").read_text(encoding="utf-8"))
    values = found.values[engine]
    used = values["shared_cpu"] / 1000 * values["shared_rate"]
    point = replace(POINT, answered=values["shared_rate"], mlflow_cores=used, postgres_cores=0,
                    client_cores=0)  # fmt: skip
    expected = modelled(point, WORKERS)
    assert differ(values["shared_median"], expected.median) <= FACTOR
    assert differ(values["shared_p99"], expected.p99) <= AT_ONCE


def test_no_request_of_a_published_load_must_have_failed() -> None:
    assert all(point.failed == 0 for points in published().points.values() for point in points)


def test_planning_must_use_what_was_measured() -> None:
    for (kind, field), measured in planned(published(), LOCAL).items():
        assumed = getattr(SERVER.requests[kind], field)
        assert measured <= assumed <= measured * MOST, (kind, field)


def test_planning_must_use_what_the_benchmark_of_stacks_measured() -> None:
    found = json.loads((ROOT / "bench" / "constants.json").read_text(encoding="utf-8"))
    figures = json.loads((PUBLISHED / "results.json").read_text(encoding="utf-8"))
    stored = figures["figures"]["artifact_in"]["subjects"]["default"]["median"]
    measured = {
        "metric": found["database_per_metric_bytes"],
        "first_process": found["memory_mlflow_first_worker_mib"] * MEBIBYTE,
        "process": found["memory_mlflow_further_worker_mib"] * MEBIBYTE,
        "database_memory": found["memory_postgres_mib"] * MEBIBYTE,
        "objects_memory": found["memory_s3_mib"] * MEBIBYTE,
        "run": published().values[LOCAL]["run_database"],
    }
    for name, value in measured.items():
        assert value <= getattr(SERVER, name) <= value * MOST, name
    per_core = stored * MEBIBYTE / figures["machine"]["cores"]
    assert per_core / MOST <= SERVER.artifacts_per_core <= per_core
