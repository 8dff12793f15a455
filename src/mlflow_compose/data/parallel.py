"""Do the same to many items at once."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Apply a function to every item in parallel; yield the results in order."""
    pool = ThreadPoolExecutor(PARALLEL_REQUESTS)
    try:
        yield from (future.result() for future in [pool.submit(work, item) for item in items])
    finally:
        # An interrupted copy does not wait for large objects that are being sent.
        pool.shutdown(wait=False, cancel_futures=True)
