"""What a class costs its machine: constants that were measured, all in this file."""

from dataclasses import dataclass

MB, GB = 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class Costs:
    """Memory, disk and processor time of a class in `seats` mode.

    Attributes:
        system_memory: Bytes that stay free for the system and other programs.
        shared_memory: Bytes of the servers that all seats share.
        seat_memory: Bytes of a seat in use.
        system_disk: Bytes that stay free on the disk.
        shared_disk: Bytes of the image or packages, and of the empty servers.
        seat_disk: Bytes of a seat: database, objects, logs, files in transit.
        start_cpu: Seconds of processor time that the start of a seat takes.
        shared_start: Seconds until the shared servers are ready.
        requests_per_core: Requests that a core answers in a second.
        requests_per_seat: Requests that a busy seat sends in a second.
    """

    system_memory: int
    shared_memory: int
    seat_memory: int
    system_disk: int
    shared_disk: int
    seat_disk: int
    start_cpu: float
    shared_start: float
    requests_per_core: float
    requests_per_seat: float


# What `make bench-class` measured with Docker, rounded; a test compares it with what is published
# in docs/benchmark/classroom.json. What stays free, the images and the pace of a person are
# assumptions.
MEASURED = Costs(
    system_memory=1 * GB,
    shared_memory=600 * MB,
    seat_memory=220 * MB,
    system_disk=2 * GB,
    shared_disk=2 * GB,
    # A database of 11 MB, as measured; the rest is for artifacts and logs.
    seat_disk=60 * MB,
    start_cpu=6,
    shared_start=7,
    # A person who logs a metric each second while a browser shows the run.
    requests_per_core=55,
    requests_per_seat=2,
)
