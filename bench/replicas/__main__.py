"""The command line of the benchmark of several tracking servers: `python -m bench.replicas`.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end, also if it fails or is interrupted.
"""

import argparse
import datetime as dt
import os
from pathlib import Path

from bench.__main__ import PUBLISHED, ROOT, scratch
from bench.backup.results import busy_note
from bench.classroom.room import DOCKER
from bench.command_line import check_machine, timed_progress, write_files
from bench.commands import run_program
from bench.machine import this_machine
from bench.replicas.measuring import SUBJECTS, measured, running
from bench.replicas.page import lines, page
from bench.replicas.results import Results, from_json, to_json
from bench.report import rounded
from mlflow_compose.cli.signals import raise_signals

OUTPUT = ROOT / ".logs" / "bench-replicas"
ROUNDS = 5
JSON, PAGE = "replicas.json", "replicas.md"


def main() -> None:
    """Measure, print, and write the results."""
    options = arguments()
    raise_signals()
    if options.results:
        results = from_json(options.results.read_text(encoding="utf-8"))
    else:
        results = measure(options)
    print(f"\n{lines(results)}")
    if options.publish:
        write(results, PUBLISHED)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds ({ROUNDS})")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder")
    parser.add_argument("--results", type=Path, help="show these results instead of measuring")
    parser.add_argument("--publish", action="store_true", help="also write docs/benchmark/")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Results:
    """Run the benchmark; results are written after each round."""
    check_machine([DOCKER])
    progress, load = timed_progress(), os.getloadavg()[0]
    values: dict[str, dict[str, list[float]]] = {subject: {} for subject in SUBJECTS}
    with scratch() as folder:
        for number in range(1, options.rounds + 1):
            for count, subject in enumerate(SUBJECTS):
                place = folder / f"{number}-{count}"
                place.mkdir()
                with running(subject, place, progress) as stack:
                    progress(f"{subject}: round {number} of {options.rounds}")
                    for figure, value in measured(stack).items():
                        values[subject].setdefault(figure, []).append(rounded(value))
            results = Results(
                date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
                machine=this_machine(),
                rounds=number,
                values=values,
                notes=busy_note(load, os.cpu_count() or 1),
            )
            write(results, options.output)
    return results


def write(results: Results, folder: Path) -> None:
    """Write the results as JSON and page."""
    write_files(folder, {JSON: to_json(results), PAGE: page(results)})
    print(f"written to {folder}")


if __name__ == "__main__":
    run_program(main)
