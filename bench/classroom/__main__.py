"""The command line of the benchmark of classes: `python -m bench.classroom`.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end, also if it fails or is interrupted.
"""

import argparse
import datetime as dt
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.__main__ import PUBLISHED, ROOT, scratch
from bench.backup.results import busy_note
from bench.classroom import measuring
from bench.classroom.fitting import plain_memory
from bench.classroom.measuring import Scale
from bench.classroom.page import lines, page
from bench.classroom.promises import broken
from bench.classroom.results import Results, from_json, merged, to_json
from bench.command_line import add_options, check_machine, timed_progress, write_files
from bench.commands import run_program
from bench.machine import this_machine
from bench.report import rounded
from mlflow_compose.actions.class_setup import SEATS, SHARED
from mlflow_compose.cli.signals import raise_signals

OUTPUT = ROOT / ".logs" / "bench-class"
PLAIN = PUBLISHED / "results.json"
JSON, PAGE = "classroom.json", "classroom.md"
MODES: Mapping[str, Callable[..., measuring.Values]] = {
    SEATS: measuring.seats,
    SHARED: measuring.shared,
}


def main() -> None:
    """Measure, print, and write the results."""
    options = arguments()
    raise_signals()
    if options.results:
        found = [from_json(path.read_text(encoding="utf-8")) for path in options.results]
        results = functools.reduce(merged, found)
    else:
        results = measure(options)
    print(f"\n{lines(results, plain_memory(PLAIN))}")
    if options.publish:
        write(results, PUBLISHED)
    if problems := "\n".join(broken(results)):
        raise SystemExit(problems)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.classroom", description=__doc__)
    parser.add_argument("--seats", type=int, default=40, help="seats with a server each (40)")
    parser.add_argument("--clients", type=int, default=60, help="people on a shared server (60)")
    parser.add_argument("--seconds", type=int, default=120, help="how long they work (120)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=[*MODES])
    add_options(parser, OUTPUT, "later files replace values of earlier ones")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Results:
    """Run the benchmark; what is measured is written after each class."""
    check_machine(options.engines)
    progress, load = timed_progress(), os.getloadavg()[0]
    scale = Scale(options.seats, options.clients, options.seconds)
    values: dict[str, dict[str, float]] = {engine: {} for engine in options.engines}
    with scratch() as folder:
        for engine, mode in pairs(options):
            place = folder / engine / mode
            place.mkdir(parents=True)
            for name, value in MODES[mode](engine, scale, place, progress):
                values[engine][name] = rounded(value)
                print(f"         {name} {rounded(value):g}", flush=True)
            results = Results(
                date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
                machine=this_machine(),
                seats=scale.seats,
                clients=scale.clients,
                seconds=scale.seconds,
                values=values,
                notes=busy_note(load, os.cpu_count() or 1),
            )
            write(results, options.output)
    return results


def pairs(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield each engine with each mode."""
    for engine in options.engines:
        for mode in options.modes:
            yield engine, mode


def write(results: Results, folder: Path) -> None:
    """Write the results as JSON and page."""
    write_files(folder, {JSON: to_json(results), PAGE: page(results, plain_memory(PLAIN))})
    print(f"written to {folder}")


if __name__ == "__main__":
    run_program(main)
