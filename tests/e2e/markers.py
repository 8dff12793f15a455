"""Texts that are in secrets only, and the places where they show."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# About the life of a short command such as `docker ps`.
LOOK_EVERY = 0.05


class Markers:
    """A text for each of some variables that is nowhere else on this machine.

    It has no character that JSON, YAML, a URL or a shell would spell in another way.
    """

    def __init__(self, *names: str) -> None:
        self.texts = {name: f"marker-{uuid.uuid4().hex[:16]}" for name in names}

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    def found_in(self, *texts: str) -> set[str]:
        """Return the variables whose markers are in one of the texts."""
        return {name for name, marker in self.texts.items() for text in texts if marker in text}


@dataclass
class Processes:
    """The variables whose markers were in processes.

    Attributes:
        command_lines: In the command line of any process.
        environments: In the environment of a process of this machine itself.
        inside: In the environment of a container's process, where the engine lets us see those.
        looks: How often all processes were looked at.
    """

    command_lines: set[str] = field(default_factory=set)
    environments: set[str] = field(default_factory=set)
    inside: set[str] = field(default_factory=set)
    looks: int = 0

    def look(self, markers: Markers) -> None:
        """Look at all processes, as far as we may."""
        for process in psutil.process_iter():
            try:
                self.command_lines |= markers.found_in(*process.cmdline())
                if found := markers.found_in(*process.environ().values()):
                    where = self.environments if is_ours(process.pid) else self.inside
                    where |= found
            except (psutil.Error, FileNotFoundError):
                # It ended meanwhile, or it is somebody else's.
                continue
        self.looks += 1


def is_ours(pid: int) -> bool:
    """Tell whether a process is one of this machine's own, and not a container's."""
    namespace = Path("/proc/self/ns/pid")
    return not namespace.exists() or namespace.samefile(f"/proc/{pid}/ns/pid")


@contextmanager
def watched_processes(markers: Markers) -> Iterator[Processes]:
    """Watch all processes while the block runs."""
    seen, over = Processes(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            seen.look(markers)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
