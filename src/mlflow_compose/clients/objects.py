"""The S3 API, with the application's key."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from mlflow_compose.stack import Stack
from mlflow_compose.stack.model import Checksums

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


# Bytes that are in memory at a time.
CHUNK = 1024 * 1024
WITHOUT_CONSTRAINT = "us-east-1"
ALREADY_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class ObjectsError(Exception):
    """The S3 server refused a request, or did not answer.

    Attributes:
        code: S3's error code, empty without a response.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Objects:
    """A bucket of an S3 server.

    Attributes:
        endpoint: The server's URL, None for Amazon's of the region.
        bucket: Its name.
        key: Id and secret.
        region: Region of requests.
        ca_certs: File of certificates that the server is checked with, empty for the usual ones.
        checksums: When requests carry new checksums, in boto3's words.
    """

    endpoint: str | None
    bucket: str
    key: tuple[str, str] = field(repr=False)
    region: str
    ca_certs: str = ""
    checksums: Checksums = "when_supported"

    @classmethod
    def of(cls, stack: Stack, endpoint: str | None = None) -> "Objects":
        """Return a stack's bucket, as the application reaches it; at another endpoint if given."""
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
        with _said("put_object", self.endpoint):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        """Fetch an object."""
        with _said("get_object", self.endpoint):
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def sizes(self) -> dict[str, int]:
        """Return every object's size in bytes, by its key."""
        with _said("list_objects_v2", self.endpoint):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            return {
                file["Key"]: file["Size"] for page in pages for file in page.get("Contents", [])
            }

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield an object in pieces that fit into memory."""
        with _said("get_object", self.endpoint):
            yield from self._client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(
                CHUNK
            )

    def digest(self, key: str) -> str:
        """Return the SHA-256 of an object's content, which is read for that."""
        found = hashlib.sha256()
        for chunk in self.chunks(key):
            found.update(chunk)
        return found.hexdigest()

    def upload(self, key: str, file: IO[bytes], content_type: str) -> None:
        """Store a file, in parts if it is large."""
        with _said("upload", self.endpoint):
            self._client.upload_fileobj(
                file, self.bucket, key, ExtraArgs={"ContentType": content_type}
            )

    def content_type(self, key: str) -> str:
        """Return the content type of an object."""
        with _said("head_object", self.endpoint):
            return self._client.head_object(Bucket=self.bucket, Key=key)["ContentType"]

    def check(self) -> None:
        """Make sure that the bucket exists and that the key may list it."""
        with _said("list_objects_v2", self.endpoint):
            self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)

    def make_bucket(self) -> None:
        """Create the bucket if it does not exist."""
        elsewhere: dict[str, Any] = (
            {}
            if self.region == WITHOUT_CONSTRAINT
            else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        )
        try:
            with _said("create_bucket", self.endpoint):
                self._client.create_bucket(Bucket=self.bucket, **elsewhere)
        except ObjectsError as error:
            if error.code not in ALREADY_THERE:
                raise

    @cached_property
    def _client(self) -> "S3Client":
        import boto3
        import botocore.session
        from botocore.config import Config

        key_id, secret = self.key
        # The user's own profiles are for other servers.
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
            }
        )
        return boto3.Session(botocore_session=core).client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            verify=self.ca_certs or None,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                proxies={},
                request_checksum_calculation=self.checksums,
                response_checksum_validation=self.checksums,
            ),
        )


@contextmanager
def _said(operation: str, endpoint: str | None) -> Iterator[None]:
    """Turn what boto3 raises into one kind of error."""
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
