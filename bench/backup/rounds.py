"""Runs the rounds: our way and the plain way take turns on the same data of one stack."""

import datetime as dt
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import images
from bench.backup import fill, writers
from bench.backup.cost import Cost, cost
from bench.backup.plain import REMOTE, Plain
from bench.backup.results import Results, busy_note
from bench.backup.sizes import MB, Size
from bench.commands import tool
from bench.docker import OurStack
from bench.load import Api
from bench.machine import this_machine
from bench.measuring import Progress
from bench.preconditions import check_linux
from bench.report import rounded

BACKUPS = "backups"
FIRST = "first"


@dataclass
class Comparison:
    """A run of this benchmark, and what it has measured so far.

    Attributes:
        sizes: How much data is saved, in ascending order, with the number of rounds.
        folder: Folder for the files of the stack and all copies.
        progress: Called with what is being done.
        values: Measured values of each figure by size.
        load: Processes that were running before the start.
    """

    sizes: Sequence[tuple[Size, int]]
    folder: Path
    progress: Progress
    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def __post_init__(self) -> None:
        """Write the settings of the stack; nothing runs yet."""
        check_linux()
        place = self.folder / "stack"
        place.mkdir()
        self.stack = OurStack("backup", images.base_images(), place)
        self.api = Api(self.stack.url, self.stack.login)
        self.plain = Plain(self.stack, self.stack.s3, self.folder / "plain")

    def run(self) -> Iterator[Results]:
        """Measure every size; yield the results after each."""
        self.progress("start of the stack")
        self.stack.prepare()
        try:
            self.stack.up()
            experiment, files = fill.add_runs(self.stack, self.api), 0
            for number, (size, rounds) in enumerate(self.sizes, start=1):
                self.progress(f"{size.name}: storing artifacts")
                fill.add_artifacts(self.stack.s3, experiment, size.files[files:], files)
                files = len(size.files)
                self.measure(size, rounds)
                yield self.results(number)
        finally:
            self.progress("removing the stack")
            self.stack.down()

    def measure(self, size: Size, rounds: int) -> None:
        """Measure all rounds of a size."""
        ways = [self.ours, self.plainly]
        for number in range(1, rounds + 1):
            self.progress(f"{size.name}, round {number}/{rounds}")
            for way in ways:
                way(size)
            ways.reverse()
        for number in range(1, rounds + 1):
            self.progress(f"{size.name}, clients {number}/{rounds}")
            self.write(size)

    def ours(self, size: Size) -> None:
        """Measure the commands of the tool."""
        self.forget()
        self.record_cost("backup", size, cost(self.command("backup", FIRST)))
        self.record("again", size, cost(self.command("backup", "second")).seconds)
        self.command("reset", "--yes")()
        self.record_cost("restore", size, cost(self.command("restore", FIRST, "--yes")))

    def plainly(self, size: Size) -> None:
        """Measure the plain way."""
        self.record_cost("plain_backup", size, cost(self.plain.save))
        self.plain.check(len(size.files))
        self.plain.empty()
        self.record_cost("plain_restore", size, cost(self.plain.load))
        shutil.rmtree(self.plain.folder)

    def write(self, size: Size) -> None:
        """Measure how long clients wait during a backup, and as long without one."""
        self.forget()
        waits, taken = writers.during(self.api, self.command("backup", FIRST))
        self.record_waits("", size, waits)
        waits, _ = writers.during(self.api, lambda: time.sleep(taken))
        self.record_waits("_alone", size, waits)
        self.plain.rclone("delete", f"{REMOTE}/{writers.PREFIX}")

    def command(self, *arguments: str) -> Callable[[], object]:
        """Return a command of the tool for the stack."""
        return lambda: tool(*self.stack.env, *arguments)

    def forget(self) -> None:
        """Delete all snapshots, so that the next one has nothing to link to."""
        shutil.rmtree(self.stack.folder / BACKUPS, ignore_errors=True)

    def record(self, figure: str, size: Size, value: float) -> None:
        """Keep a measured value."""
        self.values[figure][size.name].append(rounded(value))

    def record_cost(self, name: str, size: Size, found: Cost) -> None:
        """Keep what a command costs."""
        self.record(name, size, found.seconds)
        self.record(f"{name}_rate", size, size.bytes / MB / found.seconds)
        self.record(f"{name}_memory", size, found.peak.together)
        self.record(f"{name}_largest", size, found.peak.largest)

    def record_waits(self, suffix: str, size: Size, found: writers.Waits) -> None:
        """Keep how long clients waited."""
        self.record(f"pause{suffix}", size, found.pause)
        self.record(f"slowest{suffix}", size, found.slowest)
        self.record(f"writes{suffix}", size, found.rate)
        self.record(f"failed{suffix}", size, found.failed)

    def results(self, number: int) -> Results:
        """Return what has been measured of the first sizes."""
        return Results(
            date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
            machine=this_machine(),
            rounds={size.name: rounds for size, rounds in self.sizes[:number]},
            values={figure: dict(found) for figure, found in self.values.items()},
            notes=busy_note(self.load, os.cpu_count() or 1),
        )
