"""Copy a bucket and compare both."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mlflow_compose.clients import Objects
from mlflow_compose.data.parallel import in_parallel
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import CopiedObjects
from mlflow_compose.result import Progress

# Bytes of one object that stay in memory; larger objects are buffered in a file.
IN_MEMORY = 8 * 1024 * 1024
SHOWN = 3
BUNDLED_CONFLICT_HINT = (
    "if they are an older copy, mlflow-compose migrate-store --prune deletes it; then run the same "
    "command again"
)
CONFLICT_HINT = (
    "choose an empty bucket, such as another MLFLOW_BUCKET_NAME in the --settings file; if they "
    "are an older copy of this stack's objects, delete them"
)
T = TypeVar("T")


def copy(
    source: Objects, target: Objects, progress: Progress, *, own: bool, hint: str = ""
) -> CopiedObjects:
    """Copy every object of a bucket, and compare each by its key, size and SHA-256.

    Identical objects in the target are not sent, so an interrupted copy can be resumed.

    Args:
        source: Bucket to copy from.
        target: Bucket to copy to.
        progress: Receiver of progress.
        own: Whether the target is in a volume of the stack, which `--prune` can delete.
        hint: What to do about different objects in the target, if `own` does not say it.

    Raises:
        ObjectsError: One of the servers refused a request, or did not answer.
        StoreError: The target has different objects under the same keys, or the buckets differ
            after copying.
    """
    sizes = source.sizes()
    done = _existing_copies(source, target, sizes, progress, hint or _hint(own=own))
    sent = 0
    # Repeated, because clients with direct access can still write while MLflow is stopped.
    while new := [key for key in sizes if done.get(key) != sizes[key]]:
        _in_parallel(lambda key: _copy_object(source, target, key), new, progress, "objects")
        sent += len(new)
        done, sizes = sizes, source.sizes()
    _compare(sizes, target.sizes())
    return CopiedObjects(len(sizes), sum(sizes.values()), sent)


def conflict(bucket: str, count: int, first: str, *, own: bool) -> StoreError:
    """Return the error for target objects that differ from the stack's."""
    return _conflict(bucket, count, first, _hint(own=own))


def _hint(*, own: bool) -> str:
    return BUNDLED_CONFLICT_HINT if own else CONFLICT_HINT


def _conflict(bucket: str, count: int, first: str, hint: str) -> StoreError:
    objects = "1 object" if count == 1 else f"{count} objects"
    return StoreError(
        f"the bucket {bucket} already holds {objects} with other content under keys that would "
        f"be copied, first {first}",
        hint=hint,
    )


def _existing_copies(
    source: Objects, target: Objects, sizes: Mapping[str, int], progress: Progress, hint: str
) -> Mapping[str, int]:
    """Return the sizes of identical objects in the target, by key; raise if one differs."""
    existing = target.sizes()
    shared = sorted(key for key in sizes if key in existing)

    def is_same(key: str) -> bool:
        return sizes[key] == existing[key] and source.digest(key) == target.digest(key)

    found = _in_parallel(is_same, shared, progress, "objects that are there already")
    if differ := [key for key, same in zip(shared, found, strict=True) if not same]:
        raise _conflict(target.bucket, len(differ), differ[0], hint)
    return {key: sizes[key] for key in shared}


def _in_parallel(
    work: Callable[[str], T], keys: Sequence[str], progress: Progress, what: str
) -> list[T]:
    """Apply a function to every key in parallel; return the results in order."""
    done: list[T] = []
    for result in in_parallel(work, keys):
        done.append(result)
        progress.detail(f"{len(done)} of {len(keys)} {what}")
    return done


def _copy_object(source: Objects, target: Objects, key: str) -> None:
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        digest = hashlib.sha256()
        for chunk in source.chunks(key):
            digest.update(chunk)
            file.write(chunk)
        file.seek(0)
        target.upload(key, file, source.content_type(key))
    if target.digest(key) != digest.hexdigest():
        raise StoreError(
            f"the object {key} differs at {target.endpoint or 'S3'} after copying",
            hint="run the same command again; it continues where it stopped",
        )


def _compare(source: Mapping[str, int], target: Mapping[str, int]) -> None:
    differ = sorted(key for key in source if source[key] != target.get(key))
    if differ:
        names = ", ".join(differ[:SHOWN])
        more = f" and {len(differ) - SHOWN} more" if len(differ) > SHOWN else ""
        raise StoreError(
            f"{names}{more} differ in size after the copy, or are missing",
            hint="run the same command again; it continues where it stopped",
        )
