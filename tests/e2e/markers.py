"""Unique texts in secrets, and the places where they show up."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# Roughly the duration of a short command such as `docker ps`.
LOOK_EVERY = 0.05


class Markers:
    """A unique text for each variable that occurs nowhere else on this machine.

    It contains no character that JSON, YAML, a URL or a shell would escape.
    """

    def __init__(self, *names: str) -> None:
        self.texts = {name: f"marker-{uuid.uuid4().hex[:16]}" for name in names}

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    def found_in(self, *texts: str) -> set[str]:
        """Return the variables whose markers occur in the texts."""
        return {name for name, marker in self.texts.items() for text in texts if marker in text}


@dataclass
class Processes:
    """The variables whose markers were found in processes.

    Attributes:
        command_lines: Those in the command line of any process.
        environments: Those in the environment of a process of this machine.
        inside: Those in the environment of a container's process, if those are visible.
        looks: Number of scans of all processes.
    """

    command_lines: set[str] = field(default_factory=set)
    environments: set[str] = field(default_factory=set)
    inside: set[str] = field(default_factory=set)
    looks: int = 0

    def look(self, markers: Markers) -> None:
        """Scan all processes that this user may inspect."""
        for process in psutil.process_iter():
            try:
                self.command_lines |= markers.found_in(*process.cmdline())
                if found := markers.found_in(*process.environ().values()):
                    where = self.environments if is_ours(process.pid) else self.inside
                    where |= found
            except (psutil.Error, FileNotFoundError):
                # It exited meanwhile, or it belongs to another user.
                continue
        self.looks += 1


def is_ours(pid: int) -> bool:
    """Tell whether a process belongs to this machine and not to a container."""
    namespace = Path("/proc/self/ns/pid")
    return not namespace.exists() or namespace.samefile(f"/proc/{pid}/ns/pid")


@contextmanager
def watched_processes(markers: Markers) -> Iterator[Processes]:
    """Scan all processes repeatedly while the block runs."""
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
