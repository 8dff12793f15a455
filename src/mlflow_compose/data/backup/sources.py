"""Where the objects of a stack are: in a bucket, or in a folder that only MLflow's service has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from mlflow_compose.clients import Listed
from mlflow_compose.clients import Objects as Bucket
from mlflow_compose.data.backup.contents import Contents
from mlflow_compose.data.backup.in_bucket import InBucket, unreadable
from mlflow_compose.data.backup.objects import Source, Stored
from mlflow_compose.data.inside import copy_folder, list_files, send_files, shared, tables
from mlflow_compose.engines import Engine, RemoteError, output_of, run_modules, shaped
from mlflow_compose.errors import SnapshotError

LISTING = (tables, shared, copy_folder, list_files)
SENDING = (send_files,)


def source_of(engine: Engine, *, may_be_missing: bool = False) -> Source:
    """Return where the objects of a stack are.

    Args:
        engine: Engine of the stack.
        may_be_missing: Whether the database may have runs although there is no folder yet.
    """
    stores = engine.stack.stores
    if not stores.uses_s3:
        return InFolder(engine, may_be_missing=may_be_missing)
    if stores.bundles_s3:
        port = urlsplit(engine.stack.s3_url or "").port
        if port is None or not engine.listens_on(port):
            raise SnapshotError(
                f"the stack's S3 server does not listen on port {port} of this machine",
                hint="mlflow-compose up starts it there",
            )
    return InBucket(Bucket.of(engine.stack))


@dataclass(frozen=True)
class InFolder:
    """Files in a folder, which MLflow's service sends."""

    engine: Engine
    kind: str = "folder"
    may_be_missing: bool = False

    def listed(self) -> Sequence[Listed]:
        """Return all files."""
        found: list[Listed] = []

        def take(part: object) -> None:
            found.extend(Listed(*each) for each in shaped(part, list[tuple[str, int, str]]))

        stores = self.engine.stack.stores
        backend = "" if self.may_be_missing else stores.backend_uri
        request = {"folder": stores.artifact_folder, "backend": backend}
        try:
            run_modules(self.engine, LISTING, request, type(None), on_item=take)
        except RemoteError as error:
            raise unreadable(error) from None
        return found

    def copied(self, wanted: Sequence[Listed], contents: Contents) -> Iterator[Stored]:
        """Store the contents of some files; yield each that still exists."""
        if not wanted:
            return
        folder = self.engine.stack.stores.artifact_folder
        request = {"folder": folder, "keys": [each.key for each in wanted]}
        try:
            with output_of(self.engine, SENDING, request) as file:
                while header := file.readline():
                    each = wanted[int(header.split()[0])]
                    sha256, size = contents.add(_parts(header, file))
                    yield Stored(each.key, size, sha256, "", each.mark)
        except RemoteError as error:
            raise unreadable(error) from None


def _parts(header: bytes, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the parts of one file, the first of which has been announced by `header`."""
    while size := int(header.split()[1]):
        part = file.read(size)
        if len(part) < size:
            raise RemoteError("the output ended within a file")
        yield part
        header = file.readline()
        if not header:
            raise RemoteError("the output ended within a file")
