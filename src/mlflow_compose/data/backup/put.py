"""Make the objects of a stack those of a snapshot."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.clients import Listed, ObjectsError
from mlflow_compose.clients import Objects as Bucket
from mlflow_compose.data.backup.contents import Contents
from mlflow_compose.data.backup.objects import Stored, read_list
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.data.backup.sources import source_of
from mlflow_compose.data.inside import receive_files
from mlflow_compose.data.parallel import in_parallel
from mlflow_compose.engines import Engine, RemoteError, input_to
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress

# The keys that MLflow's server writes: those of runs, of models and of traces.
OF_MLFLOW = re.compile(r"(workspaces/[^/]+/)?\d+/([0-9a-f]{32}|models|traces)/")
TYPE = "application/octet-stream"
HINT = "mlflow-compose verify finds the cause"


@dataclass(frozen=True)
class Difference:
    """What has to change so that the objects of a stack are those of a snapshot.

    Attributes:
        put: Objects to write.
        deleted: Keys to delete.
    """

    put: Sequence[Stored]
    deleted: Sequence[str]

    @property
    def bytes(self) -> int:
        """Size of what is written."""
        return sum(each.size for each in self.put)


def planned(engine: Engine, snapshot: Snapshot | None, known: Snapshot | None) -> Difference:
    """Return what has to change in a stack.

    Args:
        engine: Engine of the stack.
        snapshot: Snapshot to load, None for no objects.
        known: A snapshot of this stack, if there is one: objects that have not changed since have
            its digests.
    """
    # The database is loaded first: MLflow creates the folder with the first artifact.
    listed = source_of(engine, may_be_missing=True).listed()
    change = difference(listed, _stored(snapshot), _stored(known))
    if not engine.stack.stores.artifacts.external:
        return change
    # Others may use an external bucket as well: nothing of theirs is overwritten or deleted.
    existing = {each.key for each in listed}
    put = [each for each in change.put if each.key not in existing or OF_MLFLOW.match(each.key)]
    return Difference(put, ())


def load_objects(
    engine: Engine, snapshot: Snapshot | None, known: Snapshot | None, progress: Progress
) -> None:
    """Write the objects that differ, delete those that are not in the snapshot, and compare.

    Args:
        engine: Engine of the stack, whose MLflow does not run.
        snapshot: Snapshot to load, None for no objects.
        known: A snapshot of this stack, if there is one.
        progress: Receiver of progress.

    Raises:
        SnapshotError: An object cannot be written, or differs afterwards.
    """
    change = planned(engine, snapshot, known)
    # Without a snapshot, objects are only deleted.
    folder = snapshot.folder if snapshot else Path()
    if engine.stack.stores.uses_s3:
        _to_bucket(Bucket.of(engine.stack), change, Contents(folder), progress)
    else:
        _to_folder(engine, change, Contents(folder), progress)
    _compare(engine, snapshot, change)


def difference(
    listed: Sequence[Listed], wanted: Mapping[str, Stored], known: Mapping[str, Stored]
) -> Difference:
    """Return what has to change.

    Args:
        listed: Objects that the stack has.
        wanted: Objects that it should have, by key.
        known: Objects whose content is known, by key, unless their mark has changed.
    """
    same = {
        each.key
        for each in listed
        if (before := known.get(each.key)) and (before.size, before.mark) == (each.size, each.mark)
    }
    put = [
        each for key, each in wanted.items() if key not in same or known[key].sha256 != each.sha256
    ]
    return Difference(put, [each.key for each in listed if each.key not in wanted])


def _to_bucket(bucket: Bucket, change: Difference, contents: Contents, progress: Progress) -> None:
    def put(each: Stored) -> int:
        bucket.upload_file(each.key, contents.path(each.sha256), each.type or TYPE)
        if bucket.digest(each.key) != each.sha256:
            raise SnapshotError(f"the object {each.key} differs after restoring", hint=HINT)
        return each.size

    with _errors():
        rate, sent = Rate(), 0
        for done, size in enumerate(in_parallel(put, change.put), start=1):
            sent += size
            progress.detail(f"{done} of {len(change.put)} objects, {rate.text(sent)}")
        for _ in in_parallel(bucket.delete, change.deleted):
            pass


def _to_folder(engine: Engine, change: Difference, contents: Contents, progress: Progress) -> None:
    request = {
        "folder": engine.stack.stores.artifact_folder,
        "deleted": [*change.deleted],
        "keys": [each.key for each in change.put],
    }
    with _errors(), input_to(engine, (receive_files,), request, int) as file:
        rate, sent = Rate(), 0
        for number, each in enumerate(change.put):
            for part in _framed(number, contents.chunks(each.sha256)):
                file.write(part)
            sent += each.size
            progress.detail(f"{number + 1} of {len(change.put)} files, {rate.text(sent)}")


def _framed(number: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a file in the format of `send_files`."""
    for chunk in chunks:
        yield b"%d %d\n" % (number, len(chunk))
        yield chunk
    yield b"%d 0\n" % number


def _compare(engine: Engine, snapshot: Snapshot | None, change: Difference) -> None:
    """Compare keys and sizes; what was written has been read again already."""
    sizes = {each.key: each.size for each in source_of(engine).listed()}
    differ = [each.key for each in change.put if sizes.get(each.key) != each.size]
    differ += [key for key in change.deleted if key in sizes]
    if not engine.stack.stores.artifacts.external:
        differ += [key for key, each in _stored(snapshot).items() if sizes.get(key) != each.size]
    if differ:
        raise SnapshotError(f"the object {differ[0]} is wrong after restoring", hint=HINT)


def _stored(snapshot: Snapshot | None) -> dict[str, Stored]:
    if snapshot is None:
        return {}
    file = snapshot.folder / snapshot.manifest.objects.file
    return {each.key: each for each in read_list(file)}


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (ObjectsError, RemoteError, BrokenPipeError) as error:
        raise SnapshotError(f"the artifacts cannot be restored: {error}", hint=HINT) from None
