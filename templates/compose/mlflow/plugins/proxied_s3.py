"""S3 artifacts through the tracking server only.

MLflow tells its clients to transfer artifacts directly, by presigned URLs, whenever its own S3
repository can create them (`build_server_info_payload` in `mlflow/server/handlers.py`, 3.17); no
setting prevents this. The URLs contain the endpoint of the server, `http://s3:9000`, which clients
outside of its network cannot reach: every download would hang for minutes before it falls back to
the proxy. This repository does the same work but cannot presign, so clients do not ask.

Uploads are passed on while they arrive, in parts, instead of being stored first. With the S3 server
of the stack, which is on the same private network, transfers cost less: payloads are not hashed
with SHA-256 on both sides (their CRC stays), and downloads are one stream, faster than several.

The response for a missing artifact must be 404, as from a server with a folder. MLflow's S3
repository causes a 500, which clients retry for minutes; and MLflow's clients do ask for artifacts
that may be missing (`runs:/ID/model` of a model, which is stored elsewhere since MLflow 3).

MLflow finds this repository by the entry point beside this file.
"""

import asyncio
import os
import posixpath
import shutil
import tempfile
import threading
from collections.abc import AsyncIterable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from mimetypes import guess_type
from pathlib import Path
from typing import Any, BinaryIO

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
from own_locations import check_place

# MLflow before 3.15 has no streams: it stores an upload in a file first.
StreamUploadMixin: Any = getattr(artifact_repo, "StreamUploadMixin", object)
# Responses to HEAD have no body, so the status is their only code.
MISSING = {"404", "NoSuchKey"}
# Bytes. Larger objects are sent in parts, and fetched in parts from an external server.
LARGE = 8 * 1024 * 1024
# Parts of an upload in memory: one arrives while the others are sent.
PARTS_IN_MEMORY = 3
# Bytes: S3 allows 10,000 parts, and the length of a stream is not known in advance.
LARGEST = 10_000 * LARGE
# Seconds that a client may send nothing.
STALLED = 300
# Uploads that are passed on while they arrive, in each process; more would need too much memory.
STREAMS = 4
FREE = threading.Semaphore(STREAMS)
# Of their own: a slow client holds its thread until all has arrived.
THREADS = ThreadPoolExecutor(STREAMS)
# Bytes that are written at once.
BLOCK = 256 * 1024
# Whether the S3 server belongs to the stack.
BUNDLED_BY = "BUNDLED_S3"


class ArrivingFile:
    """Bytes that arrive in an event loop, as a file that other threads read."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = aiter(chunks)
        self._loop = asyncio.get_running_loop()
        self._rest = bytearray()
        self._length = 0

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end, or all; wait until they have arrived."""
        arrived: Coroutine[Any, Any, bytes] = self._collect(size)
        return asyncio.run_coroutine_threadsafe(arrived, self._loop).result()

    async def discard(self) -> None:
        """Wait for the end of the bytes, and ignore them."""
        while await self._next() is not None:
            pass

    async def _next(self) -> bytes | None:
        async with asyncio.timeout(STALLED):
            return await anext(self._chunks, None)

    async def _collect(self, size: int) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = await self._next()
            if chunk is None:
                break
            self._length += len(chunk)
            if self._length > LARGEST:
                raise MlflowException(
                    f"A file through the server may have {LARGEST >> 30} GiB; larger ones need "
                    "direct access",
                    error_code=INVALID_PARAMETER_VALUE,
                )
            self._rest += chunk
        length = len(self._rest) if size < 0 else size
        with memoryview(self._rest) as arrived:
            found = bytes(arrived[:length])
        del self._rest[:length]
        return found


class StackS3ArtifactRepository(S3ArtifactRepository):  # type: ignore[misc] # mlflow is not typed
    """MLflow's S3 repository, which does not hash payloads for the stack's own server."""

    def _get_s3_client(self) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        """Return a client that MLflow keeps for five minutes."""
        client = super()._get_s3_client()
        if _is_bundled():
            client.meta.config.s3["payload_signing_enabled"] = False
        return client


class ProxiedS3ArtifactRepository(ArtifactRepository, StreamUploadMixin):  # type: ignore[misc] # mlflow is not typed
    """MLflow's S3 repository with the basic interface: no presigned URLs, no multipart."""

    def __init__(self, artifact_uri: str, *args: Any, **options: Any) -> None:  # noqa: ANN401
        check_place(artifact_uri)
        super().__init__(artifact_uri, *args, **options)
        self._s3 = StackS3ArtifactRepository(artifact_uri, *args, **options)

    def load_client(self) -> None:
        """Load what a client of the stack's S3 server needs; nothing is sent.

        With an external one, wrong settings would prevent the start of the tracking server.
        """
        if _is_bundled():
            self._s3._get_s3_client()  # noqa: SLF001

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload a file."""
        self._s3.log_artifact(local_file, artifact_path)

    async def log_artifact_from_async_stream(
        self,
        chunks: AsyncIterable[bytes],
        artifact_file_name: str,
        artifact_path: str | None = None,
    ) -> None:
        """Upload what arrives; nothing is stored if it does not arrive completely."""
        from starlette.requests import ClientDisconnect

        name = posixpath.basename(artifact_file_name)
        is_free = FREE.acquire(blocking=False)
        try:
            await (self._upload_now if is_free else self._upload_later)(chunks, name, artifact_path)
        except ClientDisconnect:
            # The client is gone. Without this, the log would show a traceback.
            raise MlflowException(
                f"The upload of '{name}' was broken off", error_code=INVALID_PARAMETER_VALUE
            ) from None
        finally:
            if is_free:
                FREE.release()

    async def _upload_now(
        self, chunks: AsyncIterable[bytes], name: str, artifact_path: str | None
    ) -> None:
        """Pass on what arrives."""
        arriving = ArrivingFile(chunks)
        upload = partial(self.log_artifact_from_stream, arriving, name, artifact_path)
        try:
            await asyncio.get_running_loop().run_in_executor(THREADS, upload)
        except Exception:
            # A client that is still sending would see a broken connection instead of the error.
            await arriving.discard()
            raise

    async def _upload_later(
        self, chunks: AsyncIterable[bytes], name: str, artifact_path: str | None
    ) -> None:
        """Store what arrives in a file first, as MLflow does."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with path.open("wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(self.log_artifact, str(path), artifact_path)

    def log_artifact_from_stream(
        self,
        stream: BinaryIO | ArrivingFile,
        artifact_file_name: str,
        artifact_path: str | None = None,
    ) -> None:
        """Upload a stream."""
        from boto3.s3.transfer import TransferConfig

        bucket, root = self._s3.parse_s3_compliant_uri(self.artifact_uri)
        name = posixpath.basename(artifact_file_name)
        transfer = TransferConfig(
            multipart_threshold=LARGE,
            multipart_chunksize=LARGE,
            max_concurrency=PARTS_IN_MEMORY - 1,
        )
        transfer.max_in_memory_upload_chunks = PARTS_IN_MEMORY
        self._s3._get_s3_client().upload_fileobj(  # noqa: SLF001
            stream,
            Bucket=bucket,
            Key=posixpath.join(root, artifact_path or "", name),
            ExtraArgs=self._upload_arguments(name),
            Config=transfer,
        )

    def _upload_arguments(self, name: str) -> Mapping[str, Any]:
        """Return the arguments that MLflow's repository passes for a file."""
        content_type, encoding = guess_type(name)
        guessed = {"ContentType": content_type, "ContentEncoding": encoding}
        return {
            **{key: value for key, value in guessed.items() if value},
            **getattr(self._s3, "_bucket_owner_params", {}),
            **(self._s3.get_s3_file_upload_extra_args() or {}),
        }

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload a folder."""
        self._s3.log_artifacts(local_dir, artifact_path)

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """List a folder."""
        found: list[Any] = self._s3.list_artifacts(path)
        return found

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder."""
        self._s3.delete_artifacts(artifact_path)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Fetch a file or a folder; with a destination, as the server does, only a file."""
        if not (artifact_path and dst_path):
            found: str = super().download_artifacts(artifact_path, dst_path)
            return found
        place: str = self._create_download_destination(artifact_path, dst_path)
        try:
            self._download_file(artifact_path, place)
        except MlflowException:
            if not self._is_directory(artifact_path):
                raise
            raise MlflowException(
                f"Artifact path refers to a directory, not a file: '{artifact_path}'",
                error_code=INVALID_PARAMETER_VALUE,
            ) from None
        return place

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        """Fetch a file; boto3's download asks for the size first, half the time of a small file."""
        from botocore.exceptions import (
            ClientError,
            FlexibleChecksumError,
            HTTPClientError,
            IncompleteReadError,
        )

        bucket, root = self._s3.parse_s3_compliant_uri(self.artifact_uri)
        key = posixpath.join(root, remote_file_path)
        try:
            found = self._s3._get_s3_client().get_object(  # noqa: SLF001
                Bucket=bucket, Key=key, **getattr(self._s3, "_bucket_owner_params", {})
            )
            if found["ContentLength"] > LARGE and not _is_bundled():
                found["Body"].close()
                # In parts, several in parallel.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
                return
            try:
                with Path(local_path).open("wb") as file:
                    shutil.copyfileobj(found["Body"], file, BLOCK)
            except (FlexibleChecksumError, HTTPClientError, IncompleteReadError):
                # The connection broke: only boto3's download retries the body.
                self._s3._download_file(remote_file_path, local_path)  # noqa: SLF001
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
            raise MlflowException(
                f"No such artifact: '{remote_file_path}'", error_code=RESOURCE_DOES_NOT_EXIST
            ) from None


def _is_bundled() -> bool:
    return os.environ.get(BUNDLED_BY) == "true"
