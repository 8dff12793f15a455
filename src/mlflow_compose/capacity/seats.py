"""How many seats fit on a machine, and which machine a number of seats needs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.capacity.costs import GB, SeatCosts

MEMORY, PROCESSORS, DISK = "memory", "processors", "disk"
# A seat may use at most one core, and the shared servers need another.
LEAST_CORES = 2
# Gigabytes of memory in machines that one can buy or rent.
MEMORY_SIZES = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class Hardware:
    """A machine.

    Attributes:
        memory_available: Bytes of memory that are available now.
        memory_total: Bytes of memory.
        cores: Processor cores.
        disk_free: Free bytes of its disk.
    """

    memory_available: int
    memory_total: int
    cores: int
    disk_free: int


@dataclass(frozen=True)
class Needs:
    """What seats need of a machine: memory and disk in bytes."""

    memory: int
    cores: int
    disk: int


def fitting(hardware: Hardware, costs: SeatCosts, running: int = 0) -> Mapping[str, int]:
    """Return how many seats fit, by what limits them.

    Args:
        hardware: The machine.
        costs: What a class costs.
        running: Seats that run already: what they use is not available, but they share its cores.
    """
    memory = hardware.memory_available - costs.system_memory - costs.shared_memory
    disk = hardware.disk_free - costs.system_disk - costs.shared_disk
    requests = hardware.cores * costs.requests_per_core
    return {
        MEMORY: max(0, memory // costs.seat_memory),
        PROCESSORS: max(0, int(requests / costs.requests_per_seat) - running),
        DISK: max(0, disk // costs.seat_disk),
    }


def limit(seats_by: Mapping[str, int]) -> str:
    """Return what a machine lacks first; the first of several that it lacks alike."""
    return min(seats_by, key=lambda what: seats_by[what])


def needs(seats: int, costs: SeatCosts) -> Needs:
    """Return what seats need, without what else runs on the machine."""
    return Needs(
        costs.system_memory + costs.shared_memory + seats * costs.seat_memory,
        max(LEAST_CORES, math.ceil(seats * costs.requests_per_seat / costs.requests_per_core)),
        costs.system_disk + costs.shared_disk + seats * costs.seat_disk,
    )


def machine_size(memory: int) -> int:
    """Return the gigabytes of the smallest usual machine with that much memory."""
    needed = math.ceil(memory / GB)
    return next((size for size in MEMORY_SIZES if size >= needed), needed)


def start_seconds(seats: int, cores: int, costs: SeatCosts) -> float:
    """Return how long the start of all seats takes on idle cores."""
    return costs.shared_start + seats * costs.start_cpu / cores


def warning(seats: int, hardware: Hardware, costs: SeatCosts, running: int = 0) -> str:
    """Return why seats do not fit on a machine besides those that run, empty if they do."""
    found = fitting(hardware, costs, running)
    lacking = limit(found)
    if seats <= found[lacking]:
        return ""
    what, more = "1 seat does" if seats == 1 else f"{seats} seats do", " more" if running else ""
    return f"{what} not fit on this machine: its {lacking} would do for {found[lacking]}{more}"
