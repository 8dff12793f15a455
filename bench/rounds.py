"""Runs the rounds: every stack once, one after the other, then all of them again."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench import images
from bench.commands import CommandError
from bench.docker import DockerStack, OurStack, PlainStack
from bench.local import LocalStack
from bench.machine import NONE, docker_version, this_machine
from bench.measuring import Progress, measure
from bench.preconditions import check_container, check_linux, check_root, other_containers
from bench.report import Report, rounded
from bench.stack import Stack
from bench.subjects import ONCE, PLAIN, Kind, Part, Subject, due

FALLBACK = (
    "The plain stack used the image of this project: its own could not be built. MLflow's"
    " defaults are slower than that."
)
NO_DOCKER = "No Docker engine is running: only the stack without Docker was measured."


@dataclass
class Bench:
    """A run of the benchmark, and what it has measured so far.

    Attributes:
        subjects: What is compared.
        rounds: Number of rounds.
        quick: Leave out what takes long: idle stacks, many runs, and the build.
        folder: Folder for the files of stacks.
        progress: Called with what is being done.
        values: Measured values of each figure by subject.
        notes: What a reader of the results must know.
        others: Largest number of other containers that ran while stacks were idle.
    """

    subjects: Sequence[Subject]
    rounds: int
    quick: bool
    folder: Path
    progress: Progress
    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    notes: list[str] = field(default_factory=list)
    others: int = 0

    def run(self) -> Iterator[Report]:
        """Run all rounds; yield the results after each."""
        if docker_version() == NONE:
            self.subjects = [one for one in self.subjects if one.kind is Kind.LOCAL]
            self.notes.append(NO_DOCKER)
            self.progress(NO_DOCKER)
        self.check()
        stacks = {subject.name: self.stack(subject) for subject in self.subjects}
        self.prepare(stacks)
        for number in range(1, self.rounds + 1):
            for subject in self.subjects:
                if due(subject, number):
                    self.measure(subject, stacks[subject.name], number)
            yield self.report()

    def check(self) -> None:
        """Refuse what could not be measured, before anything is started."""
        check_linux()
        if any(subject.kind is not Kind.LOCAL for subject in self.subjects):
            check_root()
            check_container(images.base_images()["PYTHON_IMAGE"])

    def stack(self, subject: Subject) -> Stack:
        """Return the stack of a subject; nothing runs yet."""
        folder = self.folder / subject.name
        folder.mkdir()
        match subject.kind:
            case Kind.PLAIN:
                return PlainStack(images.base_images())
            case Kind.DOCKER:
                return OurStack(subject.name, subject.settings, folder)
            case Kind.LOCAL:
                return LocalStack(subject.settings, folder)

    def prepare(self, stacks: Mapping[str, Stack]) -> None:
        """Build and install everything, ours first, and measure the images."""
        ours = {name: one for name, one in stacks.items() if isinstance(one, OurStack)}
        for name, stack in sorted(stacks.items(), key=lambda item: item[0] == PLAIN):
            self.progress(f"{name}: prepare")
            if isinstance(stack, PlainStack):
                self.prepare_plain(stack, [*ours.values()])
            else:
                stack.prepare()
        for name, stack in list(ours.items())[:1]:
            self.measure_images(name, stack)

    def prepare_plain(self, stack: PlainStack, ours: Sequence[OurStack]) -> None:
        """Prepare the plain stack, with our image if its own cannot be built."""
        try:
            stack.build()
        except CommandError as error:
            if not ours:
                raise
            self.progress(f"{error}\n{FALLBACK}")
            self.notes.append(FALLBACK)
            stack.use_image(ours[0].image())
        stack.prepare()

    def measure_images(self, name: str, ours: OurStack) -> None:
        """Record the sizes of images, and how long a build of ours takes: all stacks share it."""
        base = images.size(images.base_images()["PYTHON_IMAGE"])
        self.record(name, "image", images.size(ours.image()) - base)
        plain = images.plain_image(images.base_images()["PYTHON_IMAGE"])
        if images.exists(plain):
            self.record(PLAIN, "image", images.size(plain) - base)
        if not self.quick:
            self.progress(f"{name}: build of the image")
            self.record(name, "build", images.build_seconds(ours.folder))

    def measure(self, subject: Subject, stack: Stack, number: int) -> None:
        """Measure a subject in a round."""
        left_out = ONCE if self.quick or number > 1 else set()
        parts = subject.parts - left_out
        if Part.IDLE in parts and isinstance(stack, DockerStack):
            # Its own containers do not run yet.
            self.others = max(self.others, other_containers())
        where = f"round {number}/{self.rounds}, {subject.name}"
        values = measure(stack, parts, lambda what: self.progress(f"{where}: {what}"))
        # Closing it removes the stack, also if an interrupt arrives between two values.
        with closing(values):
            for name, value in values:
                self.record(subject.name, name, value)

    def record(self, subject: str, figure: str, value: float) -> None:
        """Keep a measured value."""
        self.values[figure][subject].append(rounded(value))

    def report(self) -> Report:
        """Return what has been measured so far."""
        return Report(
            date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
            rounds=self.rounds,
            machine=this_machine(),
            subjects={subject.name: dict(subject.settings) for subject in self.subjects},
            values=self.values,
            notes=(*self.notes, *others_note(self.others)),
        )


def others_note(others: int) -> Sequence[str]:
    """Return what idle processor time contains apart from the stack."""
    if not others:
        return ()
    run = "1 other container was" if others == 1 else f"{others} other containers were"
    note = "running while the stacks were idle, whose processor time includes the work of dockerd"
    return (f"{run} {note} and containerd for all containers.",)
