"""The command line of the benchmark of capacity: `python -m bench.capacity`.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end, also if it fails or is interrupted.
"""

import argparse
import datetime as dt
import functools
import os
from pathlib import Path

from bench.__main__ import PUBLISHED, ROOT, scratch
from bench.backup.results import busy_note
from bench.capacity.measuring import quiet, running, values
from bench.capacity.page import lines, page
from bench.capacity.results import Results, from_json, merged, to_json
from bench.command_line import add_options, check_machine, timed_progress, write_files
from bench.commands import run_program
from bench.machine import this_machine
from bench.report import rounded
from mlflow_compose.cli.signals import raise_signals

OUTPUT = ROOT / ".logs" / "bench-capacity"
RATES = (20, 40, 60, 80, 100)
JSON, PAGE = "capacity.json", "capacity.md"


def main() -> None:
    """Measure, print, and write the results."""
    options = arguments()
    raise_signals()
    if options.results:
        found = [from_json(path.read_text(encoding="utf-8")) for path in options.results]
        results = functools.reduce(merged, found)
    else:
        results = measure(options)
    print(f"\n{lines(results)}")
    if options.publish:
        write(results, PUBLISHED)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument(
        "--rates", type=float, nargs="+", default=RATES, help="requests per second to measure"
    )
    parser.add_argument("--seconds", type=int, default=60, help="how long each is measured (60)")
    add_options(parser, OUTPUT, "of two points, the quieter one")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Results:
    """Run the benchmark; what is measured is written after each engine."""
    check_machine(options.engines)
    progress, load = timed_progress(), os.getloadavg()[0]
    results = Results(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=this_machine(),
        seconds=options.seconds,
        values={},
        points={},
        notes=busy_note(load, os.cpu_count() or 1),
    )
    with scratch() as folder:
        for engine in options.engines:
            place = folder / engine
            place.mkdir()
            with running(engine, place, progress) as stack:
                progress(f"{engine}: each kind of request")
                found = {name: rounded(value) for name, value in values(stack)}
                points = []
                for rate in options.rates:
                    progress(f"{engine}: {rate:g} requests per second")
                    points.append(quiet(stack, rate, options.seconds).rounded())
            results = results.having(engine, found, points)
            write(results, options.output)
    return results


def write(results: Results, folder: Path) -> None:
    """Write the results as JSON and page."""
    write_files(folder, {JSON: to_json(results), PAGE: page(results)})
    print(f"written to {folder}")


if __name__ == "__main__":
    run_program(main)
