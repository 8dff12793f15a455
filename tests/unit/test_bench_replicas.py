"""The benchmark of several tracking servers: its arithmetic, its page, and what is published."""

import pytest

from bench.replicas.measuring import SUBJECTS
from bench.replicas.page import lines, page
from bench.replicas.results import Results, from_json, to_json
from tests.unit.samples import ROOT, settings
from tests.unit.test_bench import MACHINE

PUBLISHED = ROOT / "docs" / "benchmark"
RESULTS = Results(
    date="2026-11-29",
    machine=MACHINE,
    rounds=3,
    values={
        "1 server": {"one": [90, 100, 200], "many": [200, 200, 200], "memory": [300, 300, 300]},
        "2 servers": {"one": [80, 80, 80], "many": [220, 260, 240], "memory": [600, 600, 600]},
    },
    notes=["The machine was otherwise busy."],
)


def test_results_must_be_compared_with_one_server_by_their_medians() -> None:
    assert RESULTS.ratio("1 server", "one") == 1
    assert RESULTS.ratio("2 servers", "one") == pytest.approx(0.8)
    assert RESULTS.ratio("2 servers", "many") == pytest.approx(1.2)
    assert "| 2 servers | 80 (0.80) | 240 (1.20) | 600 (2.00) | 120 |" in page(RESULTS)
    assert "The machine was otherwise busy." in page(RESULTS)
    assert "240 (1.20)" in lines(RESULTS)


def test_stored_results_must_be_read_as_they_were_written() -> None:
    assert from_json(to_json(RESULTS)) == RESULTS


def test_every_subject_must_be_a_valid_stack_and_the_first_one_the_default() -> None:
    found = [settings(**values).mlflow_replicas for values in SUBJECTS.values()]
    assert found == [1, 1, 2, 4]
    assert next(iter(SUBJECTS.values())) == {}


def test_the_published_page_must_be_that_of_the_published_results() -> None:
    """After a change of the page: `make bench-replicas` with --results and --publish."""
    text = (PUBLISHED / "replicas.json").read_text(encoding="utf-8")
    results = from_json(text)
    assert to_json(results) == text
    assert page(results) == (PUBLISHED / "replicas.md").read_text(encoding="utf-8")


def test_two_servers_must_answer_as_much_as_one_on_the_same_machine() -> None:
    """The how-to says so, and that each needs the memory of one."""
    results = from_json((PUBLISHED / "replicas.json").read_text(encoding="utf-8"))
    assert results.ratio("2 servers", "many") == pytest.approx(1, abs=0.1)
    assert results.ratio("2 servers", "memory") == pytest.approx(2, abs=0.2)
