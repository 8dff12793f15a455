"""What classes promise about isolation and errors: the benchmark fails if it is not kept."""

from collections.abc import Iterator, Mapping

from bench.classroom.results import Results

# The most that each figure may be.
LIMITS: Mapping[str, float] = {
    # How many times as long a request takes while another seat is in a tight loop, as a median.
    "slower": 3,
    "alone_failed": 0,
    "beside_failed": 0,
    "busy_failed": 0,
    "shared_failed": 0,
}


def broken(results: Results) -> Iterator[str]:
    """Yield a sentence for each figure that is above its limit."""
    for engine, found in results.values.items():
        for name, limit in LIMITS.items():
            if found.get(name, 0) > limit:
                yield f"{engine}: {name} must be at most {limit:g}, got {found[name]:g}"
