"""Do the same to many items at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS

# Items that may be done while an earlier one takes long. Each is more than a kilobyte in memory.
AHEAD = 1000
T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Apply a function to every item in parallel; yield the results in order."""
    pool = ThreadPoolExecutor(PARALLEL_REQUESTS)
    ahead: deque[Future[R]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) == AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        # An interrupted copy does not wait for large objects that are being sent.
        pool.shutdown(wait=False, cancel_futures=True)
