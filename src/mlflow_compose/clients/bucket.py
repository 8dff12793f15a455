"""Read a bucket with any S3 client, on this machine or where MLflow runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

# Bytes in memory at a time.
CHUNK = 1024 * 1024


class ObjectsError(Exception):
    """The S3 server refused a request, or did not answer.

    Attributes:
        code: S3's error code, empty without a response.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


# There may be millions of them in memory.
@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a server lists it.

    Attributes:
        key: Its key.
        size: Size in bytes.
        mark: Text that changes with the content.
    """

    key: str
    size: int
    mark: str


@dataclass(frozen=True)
class BucketReader:
    """Reads the objects of a bucket.

    Attributes:
        client: Client of boto3.
        bucket: Bucket name.
        endpoint: URL of the server for messages, None for Amazon's.
    """

    client: "S3Client"
    bucket: str
    endpoint: str | None

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Yield every object whose key starts with a prefix, as the server lists it."""
        with errors_of("list_objects_v2", self.endpoint):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for file in page.get("Contents", []):
                    changed = file["LastModified"].astimezone(UTC).isoformat()
                    mark = f"{file.get('ETag', '')} {changed}"
                    yield Listed(file["Key"], file["Size"], mark)

    def open(self, key: str) -> tuple[str, Iterator[bytes]]:
        """Return the content type of an object, and its content in chunks."""
        with errors_of("get_object", self.endpoint):
            found = self.client.get_object(Bucket=self.bucket, Key=key)
        return found["ContentType"], self._chunks(found["Body"])

    def _chunks(self, body: "StreamingBody") -> Iterator[bytes]:
        with errors_of("get_object", self.endpoint):
            yield from body.iter_chunks(CHUNK)


@contextmanager
def errors_of(operation: str, endpoint: str | None) -> Iterator[None]:
    """Turn the exceptions of boto3 into an ObjectsError."""
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise ObjectsError(f"{operation} was refused: {code}", code=code) from error
    except S3UploadFailedError as error:
        raise ObjectsError(str(error)) from error
    except BotoCoreError as error:
        server = endpoint or "Amazon S3"
        raise ObjectsError(f"{server} does not answer: {error}") from error
