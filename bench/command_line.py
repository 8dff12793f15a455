"""What the command lines of benchmarks share: options, progress, and files of results."""

import argparse
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from bench.classroom.room import DOCKER, ENGINES
from bench.measuring import Progress
from bench.preconditions import check_linux, check_root


def add_options(parser: argparse.ArgumentParser, output: Path, several: str) -> None:
    """Add the options for engines and for files of results.

    Args:
        parser: Parser of the command line.
        output: Folder of the results.
        several: What counts if several files of results are given.
    """
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=[*ENGINES])
    parser.add_argument("--output", type=Path, default=output, help="folder")
    parser.add_argument(
        "--results",
        type=Path,
        nargs="+",
        help=f"show these results instead of measuring; {several}",
    )
    parser.add_argument("--publish", action="store_true", help="also write docs/benchmark/")


def check_machine(engines: Collection[str]) -> None:
    """Make sure that processes of these engines can be measured here."""
    check_linux()
    if DOCKER in engines:
        check_root()


def timed_progress() -> Progress:
    """Return what prints progress with the seconds since now."""
    start = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {what}", flush=True)

    return progress


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write the texts of results into a folder, by the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
