"""What is measured of classes: one record per figure, in the order of the tables."""

from bench.figures import LESS, MORE, Figure

START = (
    Figure("teacher_answers", "the teacher's server answers", "s", LESS),
    Figure("first_seat_answers", "the first seat answers", "s", LESS),
    Figure("half_answer", "half of the seats answer", "s", LESS),
    Figure("last_seat_answers", "the last seat answers", "s", LESS),
    Figure("healthy", "`class create` reports that all are healthy", "s", LESS),
    Figure("start_cpu", "processor time of the whole machine, per seat", "s", LESS),
    Figure("server_cpu", "processor time of its server alone, per seat", "s", LESS),
)
MEMORY = (
    Figure("memory_shared_fresh", "what all seats share, after the start", "MB", LESS),
    Figure("memory_seat_fresh", "a seat, after the start", "MB", LESS),
    Figure("memory_shared_used", "what all seats share, after use", "MB", LESS),
    Figure("memory_seat_used", "a seat, after use", "MB", LESS),
    Figure("memory_all_used", "the whole class, after use", "MB", LESS),
)
DISK = (
    Figure("database", "database of a seat, empty", "MB", LESS),
    Figure("database_used", "database of a seat, after use", "MB", LESS),
    Figure("layer", "what its container wrote besides", "MB", LESS),
)
BUSY = (
    Figure("busy_median", "median", "ms", LESS),
    Figure("busy_p99", "p99", "ms", LESS),
    Figure("busy_slowest", "slowest request", "ms", LESS),
    Figure("busy_rate", "answered requests", "/s", MORE),
    Figure("busy_failed", "failed requests", "", LESS),
    Figure("busy_cpu", "processor time of the class, per request", "ms", LESS),
)
ISOLATION = (
    Figure("alone_median", "alone, median", "ms", LESS),
    Figure("alone_p99", "alone, p99", "ms", LESS),
    Figure("alone_failed", "alone, failed requests", "", LESS),
    Figure("beside_median", "beside a seat in a tight loop, median", "ms", LESS),
    Figure("beside_p99", "beside a seat in a tight loop, p99", "ms", LESS),
    Figure("beside_failed", "beside it, failed requests", "", LESS),
    Figure("slower", "factor, median", "", LESS),
    Figure("slower_p99", "factor, p99", "", LESS),
)
SHARED = (
    Figure("shared_healthy", "`class create --shared`", "s", LESS),
    Figure("shared_median", "median", "ms", LESS),
    Figure("shared_p99", "p99", "ms", LESS),
    Figure("shared_slowest", "slowest request", "ms", LESS),
    Figure("shared_rate", "answered requests", "/s", MORE),
    Figure("shared_failed", "failed requests", "", LESS),
    Figure("shared_cpu", "processor time of the class, per request", "ms", LESS),
    Figure("shared_memory", "memory of the class", "MB", LESS),
)
# What follows from memory.
FITTING = (
    Figure("plain_fit", "plain stacks in the machine's memory", "", MORE),
    Figure("plain_equal", "plain stacks in the memory of this class", "", LESS),
    Figure("seats_fit", "seats in the machine's memory", "", MORE),
)
FIGURES = (*START, *MEMORY, *DISK, *BUSY, *ISOLATION, *SHARED)
