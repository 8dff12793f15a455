"""`plan`: how many seats fit on this machine, and what more of them need."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.capacity import seats as capacity
from mlflow_compose.capacity.costs import GB, SEATS
from mlflow_compose.capacity.seats import Hardware
from mlflow_compose.payloads import CapacityFound
from mlflow_compose.result import Result

COSTS = SEATS
# Seconds above which a time is shown in minutes.
MINUTES_FROM = 120


def this_hardware(folder: Path) -> Hardware:
    """Return what this machine has.

    Args:
        folder: Folder on the disk that the stack uses.
    """
    available, total = machine.memory()
    return Hardware(available, total, machine.cores(), machine.disk_free(folder))


def capacity_warning(folder: Path, seats: int, running: int = 0) -> str:
    """Return why seats do not fit on this machine, empty if they do.

    Args:
        folder: Folder of the stack.
        seats: Number of new seats.
        running: Number of seats that it has already.
    """
    if found := capacity.warning(seats, this_hardware(folder), COSTS, running):
        total = seats + running
        return f"{found}; mlflow-compose plan --seats {total} shows what {total} need"
    return ""


def show_capacity(env_file: Path, wanted: int | None) -> Result:
    """Return how many seats fit here, and what a number of seats needs.

    Args:
        env_file: Env file of the stack, which need not exist yet.
        wanted: Number of seats, None to show only how many fit.
    """
    hardware = this_hardware(env_file.absolute().parent)
    seats_by = capacity.fitting(hardware, COSTS)
    limit = capacity.limit(seats_by)
    seats = seats_by[limit]
    needed = capacity.needs(wanted, COSTS) if wanted else None
    seconds = capacity.start_seconds(wanted or seats, hardware.cores, COSTS)
    data = CapacityFound(
        seats=seats,
        seats_by=seats_by,
        limit=limit,
        memory_available=hardware.memory_available,
        memory_total=hardware.memory_total,
        cores=hardware.cores,
        disk_free=hardware.disk_free,
        wanted=wanted,
        fits=wanted <= seats if wanted else None,
        needs=asdict(needed) if needed else None,
        start_seconds=round(seconds),
    )
    lines = [*_here(hardware, seats_by), *_verdict(data)]
    return Result(data, lines)


def _here(hardware: Hardware, seats_by: Mapping[str, int]) -> Iterator[str]:
    """Yield what this machine has, and the seats for which each is enough."""
    free, total = _gigabytes(hardware.memory_available), _gigabytes(hardware.memory_total)
    has = {
        capacity.MEMORY: f"{free} of {total} GB available",
        capacity.PROCESSORS: f"{hardware.cores} cores",
        capacity.DISK: f"{_gigabytes(hardware.disk_free)} GB free",
    }
    width = max(map(len, has.values()))
    for what, text in has.items():
        yield f"{what:<10}  {text:<{width}}  {seats_by[what]} seats"


def _verdict(data: CapacityFound) -> Iterator[str]:
    yield ""
    yield f"{data.seats} seats fit on this machine, besides what runs on it now"
    if data.wanted and data.needs:
        yield _answer(data.wanted, data.needs, fits=data.wanted <= data.seats)
    seats = data.wanted or data.seats
    yield f"starting {seats} seats here takes about {_time(data.start_seconds)}"


def _answer(wanted: int, needs: Mapping[str, int], *, fits: bool) -> str:
    """Return what a number of seats needs."""
    memory, disk = _gigabytes(needs["memory"]), _gigabytes(needs["disk"])
    size = capacity.machine_size(needs["memory"])
    verdict = "fit" if fits else "do not fit"
    return (
        f"{wanted} seats {verdict}: they need {memory} GB of memory (a machine of {size} GB), "
        f"{needs['cores']} cores and {disk} GB of disk"
    )


def _gigabytes(count: int) -> str:
    return f"{count / GB:.1f}"


def _time(seconds: int) -> str:
    return f"{seconds} s" if seconds < MINUTES_FROM else f"{round(seconds / 60)} minutes"
