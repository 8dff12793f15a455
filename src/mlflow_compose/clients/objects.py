"""The S3 API, with the application's key."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


class ObjectsError(Exception):
    """The S3 server refused a request, or did not answer.

    Attributes:
        code: S3's error code, empty where there was no answer.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Objects:
    """A bucket at an S3 endpoint."""

    def __init__(self, endpoint: str, bucket: str, key: tuple[str, str], region: str) -> None:
        self.endpoint = endpoint
        self.bucket = bucket
        self._key = key
        self._region = region

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._call("put_object", Key=key, Body=content)

    def get(self, key: str) -> bytes:
        """Fetch an object."""
        content: bytes = self._call("get_object", Key=key)
        return content

    def _call(self, operation: str, **arguments: object) -> Any:  # noqa: ANN401 - the answers of boto3
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = getattr(self._client(), operation)(Bucket=self.bucket, **arguments)
            # The body comes after the answer: reading it can fail in the same ways.
            return answer["Body"].read() if "Body" in answer else answer
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise ObjectsError(f"{operation} was refused: {code}", code=code) from error
        except BotoCoreError as error:
            raise ObjectsError(f"{self.endpoint} does not answer: {error}") from error

    def _client(self) -> "S3Client":
        import boto3
        import botocore.session
        from botocore.config import Config

        key_id, secret = self._key
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
            region_name=self._region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(connect_timeout=5, read_timeout=30, proxies={}),
        )
