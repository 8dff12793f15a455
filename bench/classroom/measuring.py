"""Measures a class on one engine: seats first, then a shared server."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.classroom.arrivals import arrivals
from bench.classroom.clients import Waits, at_a_pace, looping, one_by_one
from bench.classroom.room import Login, Room
from bench.load import TIMEOUT
from bench.measuring import Progress
from bench.processes import MEBIBYTE, processor_seconds, pss
from mlflow_compose.actions.class_setup import SEATS, SHARED

# What each participant does before memory is measured again.
METRICS, SEARCHES, ARTIFACT = 100, 3, 5 * MEBIBYTE
AT_ONCE = 4
# Seconds for which all seats are busy.
BUSY_SECONDS = 60
Values = Iterator[tuple[str, float]]


@dataclass(frozen=True)
class Scale:
    """How large the measured classes are.

    Attributes:
        seats: Seats with a server each.
        clients: Participants who share one server.
        seconds: For how long each of those logs one metric per second.
    """

    seats: int
    clients: int
    seconds: int


def seats(engine: str, scale: Scale, folder: Path, progress: Progress) -> Values:
    """Start a class with a server for each seat, yield its figures, and remove it."""
    room = Room(engine, SEATS, scale.seats, folder)
    progress(f"{engine}: preparing")
    room.prepare()
    try:
        progress(f"{engine}: starting {scale.seats} seats")
        logins: list[Login] = []
        yield from start(room, lambda: logins.extend(room.create()))
        yield from memory(room, "fresh")
        for title, part in PARTS.items():
            progress(f"{engine}: {title}")
            yield from part(room, logins)
    finally:
        progress(f"{engine}: removing the class")
        room.down()


def shared(engine: str, scale: Scale, folder: Path, progress: Progress) -> Values:
    """Start a class on one server, let all participants work at once, and remove it."""
    room = Room(engine, SHARED, scale.clients, folder)
    progress(f"{engine}: preparing")
    room.prepare()
    try:
        progress(f"{engine}: starting a server for {scale.clients} participants")
        before = time.perf_counter()
        logins = room.create()
        yield "shared_healthy", time.perf_counter() - before
        progress(f"{engine}: {scale.clients} participants for {scale.seconds} s")
        yield from paced("shared", room, logins, scale.seconds)
        yield "shared_memory", pss(room.stack.first_processes())
    finally:
        progress(f"{engine}: removing the class")
        room.down()


def start(room: Room, create: Callable[[], object]) -> Values:
    """Yield how long the start of a class takes, and how much processor time."""
    before, began = busy_seconds(), time.perf_counter()
    found = arrivals(create, room.addresses)
    taken, used = time.perf_counter() - began, busy_seconds() - before
    teacher, *others = room.addresses
    yield "teacher_answers", found[teacher]
    times = sorted(found[address] for address in others)
    yield "first_seat_answers", times[0]
    yield "half_answer", times[len(times) // 2]
    yield "last_seat_answers", times[-1]
    yield "healthy", taken
    yield "start_cpu", used / room.seats
    yield "server_cpu", processor_seconds(room.servers()[1]) / room.seats


def busy_seconds() -> float:
    """Return the seconds that all processors of this machine have worked."""
    times = psutil.cpu_times()
    return sum(times[:]) - times.idle - times.iowait - times.guest - times.guest_nice


def memory(room: Room, when: str) -> Values:
    """Yield the memory of what all seats share, and of a seat."""
    common, own = room.servers()
    yield f"memory_shared_{when}", pss(common)
    yield f"memory_seat_{when}", pss(own) / room.seats
    yield f"memory_all_{when}", pss(room.stack.first_processes())


def use(room: Room, logins: Sequence[Login]) -> Values:
    """Let each participant work a little, then yield memory and disk."""
    empty = room.databases()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, logins))
    yield from memory(room, "used")
    yield "database", empty / MEBIBYTE / room.seats
    yield "database_used", room.databases() / MEBIBYTE / room.seats
    yield "layer", room.layers() / MEBIBYTE / room.seats


def work(login: Login) -> None:
    """Log metrics, store and load an artifact, and search, as one participant."""
    api = login.api
    url = f"{api.url}/api/2.0/mlflow-artifacts/artifacts/bench/artifact"
    with api.session() as session:
        run = api.run(session)
        api.log_metrics(session, run, METRICS)
        session.put(url, data=bytes(ARTIFACT), timeout=TIMEOUT).raise_for_status()
        session.get(url, timeout=TIMEOUT).raise_for_status()
        for _ in range(SEARCHES):
            api.post(session, "runs/search", {"experiment_ids": ["0"], "max_results": 100})


def busy(room: Room, logins: Sequence[Login]) -> Values:
    """Yield how long requests take while every participant logs one metric per second."""
    yield from paced("busy", room, logins, BUSY_SECONDS)


def paced(name: str, room: Room, logins: Sequence[Login], seconds: int) -> Values:
    """Yield how the class answers when every participant logs one metric per second.

    A server that cannot keep up is asked less often than that, because each participant waits for
    an answer before the next request; so the rate belongs to the times.
    """
    begun: list[tuple[float, float]] = []
    processes = room.processes()

    def now() -> tuple[float, float]:
        return time.perf_counter(), processor_seconds(processes)

    waits = at_a_pace(logins, seconds, lambda: begun.append(now()), workspaces=room.mode == SHARED)
    (start, before), (end, after) = begun[0], now()
    yield from answered(name, waits)
    yield f"{name}_slowest", 1000 * max(waits.seconds)
    yield f"{name}_rate", len(waits.seconds) / (end - start)
    yield f"{name}_cpu", 1000 * (after - before) / len(waits.seconds)


def isolation(_: Room, logins: Sequence[Login]) -> Values:
    """Yield how much longer requests of a seat take while another one is in a tight loop."""
    noisy, quiet = logins[:2]
    alone = one_by_one(quiet.api)
    with looping(noisy.api):
        beside = one_by_one(quiet.api)
    yield from answered("alone", alone)
    yield from answered("beside", beside)
    yield "slower", beside.median / alone.median
    yield "slower_p99", beside.p99 / alone.p99


def answered(name: str, waits: Waits) -> Values:
    """Yield how long requests took, and how many failed."""
    yield f"{name}_median", waits.median
    yield f"{name}_p99", waits.p99
    yield f"{name}_failed", len(waits.failed)


PARTS: Mapping[str, Callable[[Room, Sequence[Login]], Values]] = {
    "every participant works a little": use,
    "every participant logs one metric per second": busy,
    "one seat in a tight loop": isolation,
}
