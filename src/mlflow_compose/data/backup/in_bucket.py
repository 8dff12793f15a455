"""The objects of a stack in a bucket."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlflow_compose.clients.bucket import Listed, ObjectsError
from mlflow_compose.data.backup.contents import Contents
from mlflow_compose.data.backup.objects import Stored
from mlflow_compose.data.parallel import in_parallel
from mlflow_compose.errors import SnapshotError

# S3's codes for an object that has been deleted since it was listed.
GONE = ("NoSuchKey", "404")
HINT = "mlflow-compose verify finds the cause"


class Bucket(Protocol):
    """A bucket that can be read."""

    def listed(self) -> Iterator[Listed]:
        """Yield all objects."""

    def open(self, key: str) -> tuple[str, Iterator[bytes]]:
        """Return the content type of an object, and its content in chunks."""


@dataclass(frozen=True)
class InBucket:
    """Objects in a bucket, which this process reads."""

    bucket: Bucket
    kind: str = "s3"

    def listed(self) -> Sequence[Listed]:
        """Return all objects."""
        try:
            return [*self.bucket.listed()]
        except ObjectsError as error:
            raise unreadable(error) from None

    def copied(self, wanted: Sequence[Listed], contents: Contents) -> Iterator[Stored]:
        """Store the contents of some objects; yield each that still exists."""
        try:
            found = in_parallel(lambda each: self._copy(each, contents), wanted)
            yield from (stored for stored in found if stored)
        except ObjectsError as error:
            raise unreadable(error) from None

    def _copy(self, wanted: Listed, contents: Contents) -> Stored | None:
        try:
            kind, chunks = self.bucket.open(wanted.key)
        except ObjectsError as error:
            if error.code in GONE:
                return None
            raise
        sha256, size = contents.add(chunks)
        return Stored(wanted.key, size, sha256, kind, wanted.mark)


def unreadable(error: Exception) -> SnapshotError:
    """Return the error for objects that cannot be read."""
    return SnapshotError(f"the artifacts cannot be read: {error}", hint=HINT)
