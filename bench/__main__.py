"""The command line of the benchmark: `python -m bench`.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end, also if it fails or is interrupted.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import constants, plot, table
from bench.commands import BenchError, StillRunningError, run_program
from bench.report import Report, from_json, to_json
from bench.rounds import Bench
from bench.subjects import PLAIN, SUBJECTS, Subject
from mlflow_compose.cli.signals import raise_signals

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "docs" / "benchmark"
CONSTANTS = ROOT / "bench" / "constants.json"
QUICK_SUBJECTS = "plain,default"
# Files besides README.md that it writes into the output folder.
WRITTEN = ("results.json", "constants.json", "ratios.svg")


def main() -> None:
    """Measure, print, and write the results."""
    options = arguments()
    raise_signals()
    check_output(options.output)
    before = PUBLISHED / "results.json"
    earlier = from_json(before.read_text(encoding="utf-8")) if before.exists() else None
    report = load(options.results) if options.results else measure(options)
    show(report, earlier)
    write(report, options.output, options.output)
    print(f"\nwritten to {options.output}")
    if options.publish and PLAIN not in report.subjects:
        sys.exit("not published, because the plain stack was not measured")
    if options.publish:
        write(report, PUBLISHED, CONSTANTS.parent)
        print(f"published in {PUBLISHED.relative_to(ROOT)}")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    names = ",".join(subject.name for subject in SUBJECTS)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="number of rounds (5, or 1 with --quick)")
    parser.add_argument("--subjects", type=chosen, help=f"stacks to measure, from {names}")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_SUBJECTS} only, without idle stacks, many runs and a build",
    )
    parser.add_argument("--output", type=Path, default=ROOT / ".logs" / "bench", help="folder")
    parser.add_argument("--results", type=Path, help="show these results instead of measuring")
    parser.add_argument(
        "--publish", action="store_true", help="also write docs/benchmark/ and constants.json"
    )
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.subjects = options.subjects or (chosen(QUICK_SUBJECTS) if options.quick else SUBJECTS)
    return options


def chosen(names: str) -> list[Subject]:
    """Return the subjects with these names, separated by commas."""
    known = {subject.name: subject for subject in SUBJECTS}
    wanted = names.split(",")
    if unknown := set(wanted) - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(known)}")
    return [subject for name, subject in known.items() if name in wanted]


def check_output(folder: Path) -> None:
    """Refuse a folder with files that this program did not write."""
    page = folder / "README.md"
    if page.exists() and table.is_page(page.read_text(encoding="utf-8", errors="replace")):
        return
    for path in (page, *(folder / name for name in WRITTEN)):
        # Results are written after each round, the other files at the end.
        if path.exists() and not is_report(path):
            raise BenchError(
                f"--output would replace {path}, which the benchmark did not write\n"
                "hint: choose another folder"
            )


def is_report(path: Path) -> bool:
    """Tell whether a file has results of this program."""
    try:
        load(path)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


@contextmanager
def scratch() -> Iterator[Path]:
    """Provide a folder for the files of stacks; it stays if a stack may still need it."""
    folder = Path(tempfile.mkdtemp(prefix="mlflow-compose-bench-"))
    keep = False
    try:
        yield folder
    except StillRunningError:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)


def measure(options: argparse.Namespace) -> Report:
    """Run the benchmark; what is measured is written after each round."""
    start = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {what}", flush=True)

    with scratch() as folder:
        bench = Bench(options.subjects, options.rounds, options.quick, folder, progress)
        for report in bench.run():
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / "results.json").write_text(to_json(report), encoding="utf-8")
    progress("done")
    return report


def load(path: Path) -> Report:
    """Return the results of an earlier run."""
    return from_json(path.read_text(encoding="utf-8"))


def show(report: Report, earlier: Report | None) -> None:
    """Print the results, and the change since the published ones."""
    if PLAIN in report.subjects:
        print("\nHow many times better than the plain stack (target):\n")
        print(table.terminal(table.ratio_rows(report)))
    print("\nMedians (smallest to largest):\n")
    print(table.terminal(table.median_rows(report)))
    for note in report.notes:
        print(f"\n{note}")
    if earlier:
        print()
        print("\n".join(table.changed(report, earlier)))


def write(report: Report, folder: Path, for_constants: Path) -> None:
    """Write the results as JSON, page and plot, and the constants."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        folder / "results.json": to_json(report),
        folder / "README.md": table.page(report),
        for_constants / "constants.json": constants.to_json(report),
    }
    if plot.plotted(report):
        files[folder / "ratios.svg"] = plot.svg(report)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
