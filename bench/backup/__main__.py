"""The command line of the benchmark of backups: `python -m bench.backup`.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end, also if it fails or is interrupted.
"""

import argparse
from pathlib import Path

from bench.__main__ import PUBLISHED, ROOT, scratch
from bench.backup.page import lines, page
from bench.backup.results import Results, from_json, to_json
from bench.backup.rounds import Comparison
from bench.backup.sizes import Size, parse
from bench.command_line import timed_progress, write_files
from bench.commands import run_program
from mlflow_compose.cli.signals import raise_signals

OUTPUT = ROOT / ".logs" / "bench-backup"
JSON, PAGE = "backup.json", "backup.md"


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
    parser = argparse.ArgumentParser(prog="python -m bench.backup", description=__doc__)
    parser.add_argument(
        "--sizes", type=sizes, default="100MB,2GB", help="artifacts in all, ascending (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=counts, default="3", help="for all sizes, or one for each: 3,1 (3)"
    )
    parser.add_argument("--results", type=Path, help="show these results instead of measuring")
    parser.add_argument("--publish", action="store_true", help="also write docs/benchmark/")
    options = parser.parse_args()
    if len(options.rounds) == 1:
        options.rounds *= len(options.sizes)
    if len(options.rounds) != len(options.sizes):
        parser.error("--rounds has to be one number, or one for each size")
    return options


def sizes(text: str) -> list[Size]:
    """Return the sizes that a text names, in ascending order."""
    try:
        return sorted(map(parse, text.split(",")), key=lambda size: size.bytes)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def counts(text: str) -> list[int]:
    """Return numbers that are separated by commas."""
    return [int(one) for one in text.split(",")]


def measure(options: argparse.Namespace) -> Results:
    """Run the benchmark; what is measured is written after each size."""
    progress = timed_progress()
    with scratch() as folder:
        wanted = list(zip(options.sizes, options.rounds, strict=True))
        for results in Comparison(wanted, folder, progress).run():
            write(results, OUTPUT)
    return results


def write(results: Results, folder: Path) -> None:
    """Write the results as JSON and page."""
    write_files(folder, {JSON: to_json(results), PAGE: page(results)})
    print(f"written to {folder.relative_to(ROOT)}")


if __name__ == "__main__":
    run_program(main)
