"""An S3 client with the application's key."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlflow_compose.clients.aws import session
from mlflow_compose.clients.bucket import BucketReader, Listed, ObjectsError, errors_of
from mlflow_compose.stack import Stack
from mlflow_compose.stack.model import Checksums

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


# The only region that CreateBucket rejects as a LocationConstraint.
DEFAULT_REGION = "us-east-1"
OWN = "BucketAlreadyOwnedByYou"
# Some servers only have the second. On Amazon, with its global names, it is another owner's.
ALREADY_THERE = (OWN, "BucketAlreadyExists")


@dataclass(frozen=True)
class Objects:
    """A bucket of an S3 server.

    Attributes:
        endpoint: URL of the server, None for Amazon's in the region.
        bucket: Bucket name.
        key: Access key: id and secret; empty for the role that AWS gives this machine.
        region: Region of requests.
        ca_certs: File of CA certificates to verify the server with, empty for the system's.
        checksums: When requests carry the newer checksums, as in boto3's configuration.
    """

    endpoint: str | None
    bucket: str
    key: tuple[str, str] = field(repr=False)
    region: str
    ca_certs: str = ""
    checksums: Checksums = "when_supported"

    @classmethod
    def of(cls, stack: Stack, endpoint: str | None = None) -> "Objects":
        """Return a stack's bucket with the application's key, at another endpoint if given."""
        return cls(
            endpoint or stack.s3_url,
            stack.stores.bucket,
            stack.app_key,
            stack.region,
            stack.ca_certs,
            stack.checksums,
        )

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        with errors_of("put_object", self.endpoint):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Delete an object."""
        with errors_of("delete_object", self.endpoint):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def has(self, key: str) -> bool:
        """Tell whether there is an object whose key starts with this one."""
        with errors_of("list_objects_v2", self.endpoint):
            found = self._client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
            return bool(found.get("Contents"))

    def get(self, key: str) -> bytes:
        """Fetch an object."""
        with errors_of("get_object", self.endpoint):
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def buckets(self) -> tuple[str, ...]:
        """Return the names of all buckets that the key may see."""
        with errors_of("list_buckets", self.endpoint):
            pages = self._client.get_paginator("list_buckets").paginate()
            return tuple(found["Name"] for page in pages for found in page.get("Buckets", []))

    def sizes(self) -> dict[str, int]:
        """Return every object's size in bytes, by its key."""
        with errors_of("list_objects_v2", self.endpoint):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            return {
                file["Key"]: file["Size"] for page in pages for file in page.get("Contents", [])
            }

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """Yield every object whose key starts with a prefix, as the server lists it."""
        return self._reader.listed(prefix)

    def open(self, key: str) -> tuple[str, Iterator[bytes]]:
        """Return the content type of an object, and its content in chunks."""
        return self._reader.open(key)

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object in chunks."""
        _, found = self.open(key)
        yield from found

    def digest(self, key: str) -> str:
        """Download an object and return its SHA-256."""
        found = hashlib.sha256()
        for chunk in self.chunks(key):
            found.update(chunk)
        return found.hexdigest()

    def upload(self, key: str, file: IO[bytes], content_type: str) -> None:
        """Store a file, as a multipart upload if it is large."""
        with errors_of("upload", self.endpoint):
            self._client.upload_fileobj(
                file, self.bucket, key, ExtraArgs={"ContentType": content_type}
            )

    def upload_file(self, key: str, path: Path, content_type: str) -> None:
        """Store a file that has a path, whose parts are then not read ahead into memory."""
        with errors_of("upload", self.endpoint):
            self._client.upload_file(
                str(path), self.bucket, key, ExtraArgs={"ContentType": content_type}
            )

    def content_type(self, key: str) -> str:
        """Return the content type of an object."""
        with errors_of("head_object", self.endpoint):
            return self._client.head_object(Bucket=self.bucket, Key=key)["ContentType"]

    def check(self) -> None:
        """Make sure that the bucket exists and that the key may list it."""
        with errors_of("list_objects_v2", self.endpoint):
            self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)

    def create_bucket(self) -> bool:
        """Create the bucket if it does not exist; tell whether it is new.

        In Amazon's default region, the owner's own bucket counts as new again.
        """
        options: dict[str, Any] = (
            {}
            if self.region == DEFAULT_REGION
            else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        )
        try:
            with errors_of("create_bucket", self.endpoint):
                self._client.create_bucket(Bucket=self.bucket, **options)
        except ObjectsError as error:
            if error.code not in (ALREADY_THERE if self.endpoint else (OWN,)):
                raise
            return False
        return True

    @property
    def _reader(self) -> BucketReader:
        return BucketReader(self._client, self.bucket, self.endpoint)

    @cached_property
    def _client(self) -> "S3Client":
        import boto3
        from botocore.config import Config

        key_id, secret = self.key
        return boto3.Session(botocore_session=session(uses_role=not key_id)).client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=key_id or None,
            aws_secret_access_key=secret or None,
            verify=self.ca_certs or None,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                proxies={},
                request_checksum_calculation=self.checksums,
                response_checksum_validation=self.checksums,
            ),
        )
