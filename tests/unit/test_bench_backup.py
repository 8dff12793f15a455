"""The benchmark of backups: its sizes, arithmetic and page; `make bench-backup` runs the rest."""

import subprocess

import pytest

from bench.backup import page
from bench.backup.cost import cost
from bench.backup.figures import FIGURES, SPEED
from bench.backup.results import Results, busy_note, from_json, to_json
from bench.backup.sizes import LARGE, MB, SMALL, parse
from bench.backup.writers import Waits, waits
from bench.commands import run
from tests.unit.samples import ROOT
from tests.unit.test_bench import MACHINE

PUBLISHED = ROOT / "docs" / "benchmark"
BY_NAME = {figure.name: figure for figure in FIGURES}
RESULTS = Results(
    date="2026-11-28",
    machine=MACHINE,
    rounds={"100MB": 3, "2GB": 1},
    values={
        "backup": {"100MB": [2.0, 4.0, 3.0], "2GB": [40.0]},
        "plain_backup": {"100MB": [1.5, 2.0, 1.0], "2GB": [60.0]},
        "backup_memory": {"100MB": [150.0, 140.0, 160.0], "2GB": [155.0]},
        "pause": {"100MB": [0.2]},
    },
    notes=["A remark."],
)


@pytest.mark.parametrize(
    ("text", "size"), [("100MB", 100 * MB), ("700MB", 700 * MB), ("2GB", 2000 * MB)]
)
def test_files_must_add_up_to_the_size(text: str, size: int) -> None:
    found = parse(text)
    assert (found.name, found.bytes, sum(found.files)) == (text, size, size)
    assert set(found.files) == {LARGE, SMALL}


def test_a_larger_size_must_begin_with_the_files_of_a_smaller_one() -> None:
    """Only the others are stored for it."""
    small, large = parse("100MB").files, parse("2GB").files
    assert large[: len(small)] == small


@pytest.mark.parametrize("text", ["", "0MB", "150MB", "2 GB", "1TB", "2gb"])
def test_another_size_must_be_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a multiple of 100MB"):
        parse(text)


def test_a_ratio_must_say_how_many_times_faster_than_the_plain_way() -> None:
    assert RESULTS.times_faster(BY_NAME["backup"], "100MB") == 0.5
    assert RESULTS.times_faster(BY_NAME["backup"], "2GB") == 1.5
    assert RESULTS.times_faster(BY_NAME["restore"], "2GB") is None
    assert RESULTS.times_faster(BY_NAME["plain_backup"], "2GB") is None


def test_names_of_figures_must_match() -> None:
    assert len(BY_NAME) == len(FIGURES)
    assert {figure.baseline for figure in SPEED} - {""} <= set(BY_NAME)


def test_results_must_survive_json() -> None:
    assert from_json(to_json(RESULTS)) == RESULTS


def test_the_page_must_have_a_column_for_each_size() -> None:
    text = page.page(RESULTS)
    assert "2026-11-28, 3 rounds of 100MB, 1 round of 2GB: 2 cores (Example 9000)" in text
    assert "| `backup`, first snapshot | s | 3 (2–4) | 40 |" in text  # noqa: RUF001
    assert "| `backup`, first snapshot | 0.50 | 1.50 |" in text
    assert "| longest time without any acknowledged write, during `backup` | s | 0.2 |  |" in text
    assert "restore`, its largest process" not in text
    assert "\nA remark.\n" in text


def test_the_terminal_must_show_all_tables() -> None:
    text = page.lines(RESULTS)
    assert all(word in text for word in ("first snapshot", "commands it starts", "acknowledged"))


@pytest.mark.parametrize(("load", "noted"), [(0.0, False), (0.4, False), (0.5, True), (3.0, True)])
def test_a_busy_machine_must_be_noted(load: float, noted: bool) -> None:  # noqa: FBT001
    assert bool(busy_note(load, 2)) == noted


@pytest.mark.parametrize(
    ("writes", "found"),
    [
        ([(0.0, 1.0, True), (1.0, 3.0, True), (3.0, 4.0, True)], Waits(2.0, 2.0, 0.75, 0)),
        ([(-1.0, 0.5, True), (3.0, 5.0, True)], Waits(3.5, 2.0, 0.25, 0)),
        ([(0.0, 1.0, True), (1.0, 2.0, False), (2.0, 3.0, True)], Waits(2.0, 1.0, 0.5, 1)),
        ([(-3.0, -1.0, True), (6.0, 7.0, True)], Waits(4.0, 4.0, 0.0, 0)),
    ],
)
def test_a_pause_must_last_from_one_acknowledged_write_of_any_client_to_the_next(
    writes: list[tuple[float, float, bool]], found: Waits
) -> None:
    """Between the start and the end of the backup, which requests may cross."""
    assert waits(writes, 0.0, 4.0) == found


def test_memory_must_be_that_of_all_processes_of_a_command() -> None:
    """One of 60 MB that starts another one of 60 MB, beside one of 200 MB that was there before."""
    child = "import time; held = b'x' * 60_000_000; time.sleep(0.4)"
    start = f"subprocess.run([sys.executable, '-c', {child!r}])"
    script = f"import subprocess, sys; held = b'x' * 60_000_000; {start}"
    before = "held = b'x' * 200_000_000; print(flush=True); input()"
    with subprocess.Popen(
        ["python3", "-c", before], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        found = cost(lambda: run("python3", "-c", script))
        other.communicate(b"\n")
    assert found.seconds > 0.4
    assert 60 < found.peak.largest < 120 < found.peak.together < 240


@pytest.mark.skipif(not (PUBLISHED / "backup.json").exists(), reason="nothing is published yet")
def test_the_published_page_must_be_that_of_the_published_results() -> None:
    """After a change of the page: `make bench-backup` with --results and --publish."""
    text = (PUBLISHED / "backup.json").read_text(encoding="utf-8")
    results = from_json(text)
    assert to_json(results) == text
    assert page.page(results) == (PUBLISHED / "backup.md").read_text(encoding="utf-8")
