"""The benchmark's arithmetic, tables and plot; `make bench` runs the rest."""

import json
from pathlib import Path

import pytest

from bench import constants, plot, recovery, table
from bench.figures import FIGURES, Figure
from bench.machine import Machine, cpu_model, memory_gib, numbers
from bench.measuring import PARTS
from bench.processes import ESTABLISHED, LISTENING, inodes
from bench.report import Report, changes, from_json, same_class, to_json
from bench.subjects import PLAIN, SUBJECTS, Part, due
from tests.unit.samples import ROOT

PUBLISHED = ROOT / "docs" / "benchmark"
BY_NAME = {figure.name: figure for figure in FIGURES}
MACHINE: Machine = {
    "cores": 2,
    "cpu": "Example 9000",
    "memory_gib": 24,
    "kernel": "6.1",
    "docker": "20.10.24",
    "python": "3.13.1",
    "mlflow": "3.17.2",
}
VALUES = {
    "cold_up": {PLAIN: [20.0, 24.0, 22.0], "default": [11.0, 10.0, 12.0], "small": [9.0]},
    "log_metric_8": {PLAIN: [80.0], "default": [160.0], "fast": [240.0]},
    "artifact_in": {PLAIN: [100.0], "default": [130.0]},
    "direct_in": {PLAIN: [200.0], "default": [250.0]},
    "away_server": {"default": [3.5]},
    "memory_mlflow_loaded": {PLAIN: [2400.0], "default": [400.0], "fast": [700.0]},
    "workers": {PLAIN: [4.0], "default": [2.0], "fast": [4.0]},
}


def sample(**values: dict[str, list[float]]) -> Report:
    subjects: dict[str, dict[str, str]] = {PLAIN: {}, "default": {}}
    subjects |= {"small": {"STACK_PROFILE": "small"}, "fast": {"STACK_PROFILE": "fast"}}
    return Report("2026-11-28", 3, MACHINE, subjects, {**VALUES, **values}, ("A remark.",))


@pytest.mark.parametrize(
    ("figure", "subject", "ratio"),
    [
        ("cold_up", "default", 2.0),
        ("cold_up", "fast", None),
        ("log_metric_8", "fast", 3.0),
        ("direct_in", "default", 2.5),
        ("direct_in", PLAIN, 2.0),
        ("away_server", "default", None),
    ],
)
def test_a_ratio_must_say_how_many_times_better_than_plain(
    figure: str, subject: str, ratio: float | None
) -> None:
    """Less time and more requests are better; direct access is compared with plain's server."""
    assert sample().ratio(BY_NAME[figure], subject) == ratio


def test_names_of_figures_and_targets_must_match() -> None:
    assert len(BY_NAME) == len(FIGURES)
    names = {subject.name for subject in SUBJECTS}
    for figure in FIGURES:
        assert set(figure.targets) <= names - {PLAIN}
        assert not figure.baseline or figure.baseline in BY_NAME


def test_parts_must_be_measured_in_the_order_in_which_they_are_listed() -> None:
    assert list(PARTS) == list(Part)


def test_a_report_must_survive_json() -> None:
    report = sample()
    assert from_json(to_json(report)) == Report(
        report.date, report.rounds, MACHINE, report.subjects, report.values, ["A remark."]
    )
    cold = json.loads(to_json(report))["figures"]["cold_up"]
    assert cold["subjects"]["default"] == {
        "values": [11.0, 10.0, 12.0],
        "median": 11.0,
        "min": 10.0,
        "max": 12.0,
        "ratio": 2.0,
        "target": 3,
    }
    assert (
        json.loads(to_json(report))["figures"]["away_server"]["subjects"]["default"]["limit"] == 4
    )


def test_the_table_must_mark_reached_targets() -> None:
    text = table.markdown(table.ratio_rows(sample()))
    assert "| start with empty volumes | 2.00 (3) | 2.44 (3) |  |" in text
    assert "| log-metric, 8 clients | **2.00** (1.8) |  | **3.00** (2.5) |" in text
    assert "kill -9" not in text


def test_the_table_must_show_medians_with_their_spread() -> None:
    text = table.markdown(table.median_rows(sample()))
    assert "| start with empty volumes | s | 22 (20–24) | 11 (10–12) | 9 |  |" in text  # noqa: RUF001
    assert "| away after kill -9 of the server, at most 4 | s |  | 3.5 |  |  |" in text


def test_the_page_must_name_machine_settings_and_remarks() -> None:
    text = table.page(sample())
    assert "2026-11-28, up to 3 rounds: 2 cores (Example 9000), 24 GiB" in text
    assert "- small: `STACK_PROFILE=small`" in text
    assert text.endswith("- A remark.\n")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.4432, "0.443"), (18.91, "18.9"), (2345.6, "2,346")]
)
def test_numbers_must_have_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text


def test_columns_must_be_aligned() -> None:
    rows = iter([("", "a"), ("long", "**1.0**"), ("b", "10")])
    assert table.terminal(rows).splitlines() == ["        a", "long  1.0", "b      10"]


def test_changes_must_compare_ratios_if_there_are_any() -> None:
    """A machine that is twice as slow for both stacks changes nothing."""
    slow = sample(
        cold_up={PLAIN: [44.0], "default": [22.0]},
        log_metric_8={PLAIN: [80.0], "default": [80.0]},
        away_server={"default": [7.0]},
    )
    found = {(figure.name, subject): change for figure, subject, change in changes(slow, sample())}
    assert found["cold_up", "default"] == 1
    assert found["log_metric_8", "default"] == 0.5
    assert found["away_server", "default"] == 0.5
    assert not any(subject == PLAIN for _, subject in found)
    lines = list(table.changed(slow, sample()))
    assert "  default: log-metric, 8 clients: 2.00 times worse" in lines
    assert not any("empty volumes" in line for line in lines)


def test_another_machine_must_be_mentioned() -> None:
    other: Machine = {**MACHINE, "cores": 8}
    assert not same_class(MACHINE, other)
    assert same_class(MACHINE, {**MACHINE, "kernel": "6.2"})
    before = sample()
    now = Report("2026-12-01", 3, other, before.subjects, VALUES)
    assert any("another machine" in line for line in table.changed(now, before))


def test_constants_must_follow_from_two_numbers_of_workers() -> None:
    found = constants.constants(sample())
    assert found["memory_mlflow_further_worker_mib"] == 150
    assert found["memory_mlflow_first_worker_mib"] == 250
    assert found["log_metric_requests_per_second_per_core"] == 80
    assert all(name.endswith(("_mib", "_bytes", "_per_core")) for name in found)
    del found["memory_mlflow_first_worker_mib"], found["memory_mlflow_further_worker_mib"]
    assert constants.constants(sample(workers={})) == found


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("Intel(R) Xeon(R) CPU E5-2670 v2 @ 2.50GHz", "Intel Xeon E5-2670 v2"),
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
    ],
)
def test_the_processor_must_be_named_without_noise(model: str, plain: str) -> None:
    assert cpu_model(f"processor\t: 0\nmodel name\t: {model}\ncache size\t: 1\n") == plain


def test_the_machine_must_be_described_in_round_numbers() -> None:
    assert memory_gib("MemTotal:       24684096 kB\nMemFree:  1 kB\n") == 24
    assert numbers("6.18.44-some-host") == "6.18.44"
    assert numbers("20.10.24+dfsg1") == "20.10.24"
    assert numbers("?") == "unknown"


@pytest.mark.parametrize(
    ("answers", "gap"),
    [("+++", 0.0), ("+-+", 1.5), ("--+-+", 2.5), ("+--", 1.5), ("", 0.0)],
)
def test_a_gap_must_last_from_the_first_failure_to_the_next_answer(
    answers: str, gap: float
) -> None:
    samples = [(float(at), at + 0.5, one == "+") for at, one in enumerate(answers)]
    assert recovery.longest_gap(samples) == gap


def test_a_server_must_be_back_only_after_it_was_away() -> None:
    assert not recovery.is_back([(0, 0.1, True), (0.2, 0.3, True)])
    assert not recovery.is_back([(0, 0.1, True), (0.2, 0.3, False)])
    assert recovery.is_back([(0, 0.1, False), (0.2, 0.3, True)])


def test_listening_sockets_must_be_found_by_port() -> None:
    text = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
        "  timeout inode\n"
        "   0: 00000000:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1\n"
        "   1: 0100007F:1388 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 0 0 222 1\n"
        "   2: 00000000:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1\n"
    )
    assert list(inodes(text, 5000, LISTENING)) == ["111"]
    assert list(inodes(text, 5000, ESTABLISHED)) == ["222"]


def test_subjects_must_be_measured_in_the_first_and_in_every_nth_round() -> None:
    assert SUBJECTS[0].name == PLAIN
    by_name = {subject.name: subject for subject in SUBJECTS}
    rounds = range(1, 6)
    assert [number for number in rounds if due(by_name["default"], number)] == [1, 2, 3, 4, 5]
    assert [number for number in rounds if due(by_name["small"], number)] == [1, 3, 5]
    assert all(due(subject, 1) for subject in SUBJECTS)


def test_the_plot_must_be_the_same_for_the_same_report() -> None:
    first = plot.svg(sample())
    assert first == plot.svg(sample())
    assert len(first) < 60_000
    assert "dc:date" not in first
    assert "log-metric, 8 clients" in first


def published(name: str) -> str:
    return (PUBLISHED / name).read_text(encoding="utf-8")


@pytest.mark.skipif(not PUBLISHED.exists(), reason="nothing is published yet")
def test_the_published_page_and_plot_must_be_those_of_the_published_results() -> None:
    """After a change of the table or plot: `make bench` with --results and --publish."""
    text = published("results.json")
    report = from_json(text)
    assert to_json(report) == text
    assert table.page(report) == published("README.md")
    assert plot.svg(report) == published("ratios.svg")
    path: Path = ROOT / "bench" / "constants.json"
    assert constants.to_json(report) == path.read_text(encoding="utf-8")


def test_every_figure_must_have_a_unit_or_be_a_count() -> None:
    assert [figure.name for figure in FIGURES if not figure.unit] == ["workers"]
    assert all(isinstance(figure, Figure) for figure in FIGURES)
