"""Copy a bucket, and prove that the copy is one."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlflow_compose.clients import Objects
from mlflow_compose.errors import StoreError
from mlflow_compose.result import Progress

AT_A_TIME = 8
# Bytes of one object that stay in memory; what is larger passes through a file.
IN_MEMORY = 8 * 1024 * 1024
NAMED = 3


@dataclass(frozen=True)
class Copied:
    """What a copy was about.

    Attributes:
        count: How many objects there are.
        bytes: Their size in all.
        sent: How many were not there yet.
    """

    count: int
    bytes: int
    sent: int


def copy(source: Objects, target: Objects, progress: Progress) -> Copied:
    """Copy every object of a bucket, and compare each by its key, size and SHA-256.

    What is there already and the same is left alone, so that a copy that was broken off goes on.

    Raises:
        ObjectsError: One of the servers refused a request, or did not answer.
        StoreError: Something is not the same afterwards.
    """
    done: dict[str, int] = {}
    sent, sizes = 0, source.sizes()
    # Again, for clients that talk to S3 themselves and do not know that MLflow is stopped.
    while new := [key for key in sizes if done.get(key) != sizes[key]]:
        sent += _bring_all(source, target, new, progress)
        done, sizes = sizes, source.sizes()
    _compare(sizes, target.sizes())
    return Copied(len(sizes), sum(sizes.values()), sent)


def _bring_all(source: Objects, target: Objects, keys: Sequence[str], progress: Progress) -> int:
    there, sent = target.sizes(), 0
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        work = [pool.submit(_bring, source, target, key, there) for key in keys]
        for number, future in enumerate(work, start=1):
            sent += future.result()
            progress.detail(f"{number} of {len(keys)} objects")
    finally:
        # An interrupted copy does not wait for large objects that are on the way.
        pool.shutdown(wait=False, cancel_futures=True)
    return sent


def _bring(source: Objects, target: Objects, key: str, there: Mapping[str, int]) -> bool:
    """Make sure that an object is at the target; tell whether it had to be sent."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = hashlib.sha256()
        for chunk in source.chunks(key):
            digest.update(chunk)
            file.write(chunk)
        if there.get(key) == file.tell() and target.digest(key) == digest.hexdigest():
            return False
        file.seek(0)
        target.upload(key, file, source.content_type(key))
    if target.digest(key) != digest.hexdigest():
        raise StoreError(
            f"the object {key} is not the same at {target.endpoint or 'S3'} after it was copied",
            hint="run the same command again; it goes on where it ended",
        )
    return True


def _compare(source: Mapping[str, int], target: Mapping[str, int]) -> None:
    differ = sorted(key for key in source if source[key] != target.get(key))
    if differ:
        names = ", ".join(differ[:NAMED])
        more = f" and {len(differ) - NAMED} more" if len(differ) > NAMED else ""
        raise StoreError(
            f"{names}{more} differ in size after the copy, or are missing",
            hint="run the same command again; it goes on where it ended",
        )
