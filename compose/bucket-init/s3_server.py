"""The S3 server that the job talks to, and what it may answer, in words."""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

ROOT_KEY = "MINIO_ROOT_USER and MINIO_ROOT_PASSWORD"
APP_KEY = "MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
OTHER_REGION = ("301", "PermanentRedirect", "AuthorizationHeaderMalformed")
FORBIDDEN = ("AccessDenied", "AllAccessDisabled")
# What a server says that does not know checksums which follow an object's bytes.
OLD_CHECKSUMS = ("MissingContentLength",)
REFUSED = 400
# What a server answers that is not ready.
BROKEN = 500
# Seconds.
ASK_EVERY, SAY_AFTER = 0.1, 20.0


class JobError(Exception):
    """One sentence on why the job cannot be done."""


@dataclass(frozen=True)
class Key:
    """An S3 access key."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Job:
    """What to make, and where."""

    endpoint: str | None
    bucket: str
    region: str
    root: Key
    app: Key
    may_create: bool = True
    # How the server makes keys, empty where there is none to be made.
    key_maker: str = ""

    @property
    def has_users(self) -> bool:
        """Whether the server knows more keys than its root's."""
        return self.root != self.app

    @property
    def server(self) -> str:
        """What it is called in sentences."""
        return f"the S3 server at {self.endpoint}" if self.endpoint else "Amazon's S3"


def s3_client(job: Job, key: Key) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """Return an S3 client that gives up within seconds."""
    client = boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=job.region,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 3}),
    )
    client.meta.events.register("response-received.s3", stay_in_region)
    return client


def wait_until_ready(url: str, seconds: float) -> None:
    """Return once a server says at `url` that it is ready, at the latest after so many seconds.

    What is wrong with one that never is, the job says itself.
    """
    server = PoolManager(timeout=Timeout(connect=5, read=15), retries=False)
    began, told = time.monotonic(), False
    while (waited := time.monotonic() - began) < seconds:
        try:
            status = server.request("GET", url).status
            if status < BROKEN:
                return
            reason = f"it answers {status}"
        except HTTPError as error:
            reason = str(error)
        if waited > SAY_AFTER and not told:
            told = True
            print(f"waiting for the S3 server at {url}: {reason}", flush=True)
        time.sleep(ASK_EVERY)


def stay_in_region(parsed_response: Any = None, **_: object) -> None:  # noqa: ANN401 - of boto3
    """Refuse to follow the server to another region, as boto3 does: MLflow would ask twice."""
    if parsed_response and parsed_response.get("Error", {}).get("Code") in OTHER_REGION:
        raise ClientError(parsed_response, "")


def administer(
    job: Job, request: str, query: Mapping[str, str], body: bytes = b"", *, allowed: int = 0
) -> tuple[int, bytes]:
    """Ask a server for something that S3 has no word for, as its root.

    Args:
        job: Says where the server is.
        request: Method and path.
        query: Parameters.
        body: What goes with it.
        allowed: An answer that is no failure, beside those below 400.
    """
    method, path = request.split()
    url = f"{job.endpoint}{path}?{urlencode(query, quote_via=quote)}".rstrip("?")
    signed = AWSRequest(method, url, data=body)
    S3SigV4Auth(Credentials(job.root.id, job.root.secret), "s3", job.region).add_auth(signed)
    answer = http().request(method, url, body=body, headers=dict(signed.headers.items()))
    if answer.status >= REFUSED and answer.status != allowed:
        said = answer.data.decode(errors="replace")[:200]
        raise JobError(
            f"the S3 server refused an administration request: {request}: {answer.status} {said}"
        )
    return answer.status, answer.data


def http() -> PoolManager:
    """Return what makes requests that give up within seconds."""
    return PoolManager(timeout=Timeout(connect=5, read=15), retries=Retry(2))


@contextmanager
def reasons(job: Job, whose: str = ROOT_KEY) -> Iterator[None]:
    """Turn whatever the block raises into a sentence."""
    try:
        yield
    except ClientError as error:
        raise JobError(refusal(job, error, whose)) from error
    except SSLError as error:
        raise JobError(
            f"the certificate of {job.server} is not trusted (MINIO_STORAGE_CA_CERTS): {error}"
        ) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise JobError(unreachable(job, str(error))) from error


def unreachable(job: Job, said: str) -> str:
    """Say why there is no answer."""
    host = urlsplit(job.endpoint or "").hostname
    if host and not job.has_users and not is_known(host):
        return f"there is no machine called {host} (MINIO_HOST)"
    return f"{job.server} cannot be reached: {said}"


def is_known(host: str) -> bool:
    """Tell whether a name leads to a machine."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        return False
    return True


def refusal(job: Job, error: ClientError, whose: str) -> str:
    """Say why the S3 server refused a request."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    server = job.server
    named = f"the bucket {job.bucket} (MLFLOW_BUCKET_NAME)"
    if code in WRONG_KEY or (job.has_users and code == "AccessDenied"):
        return f"{server} refused the key of {whose} ({code}): it knows another one"
    if code in {"404", "NoSuchBucket"}:
        return f"{named} is missing; make it, or set MLFLOW_BUCKET_CREATE=true"
    if code in OTHER_REGION:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        told = headers.get("x-amz-bucket-region") or error.response["Error"].get("Region")
        region = told or "another region"
        return f"{named} is in {region}, not in {job.region} (AWS_DEFAULT_REGION)"
    if code == "403" or code in FORBIDDEN:
        return f"{server} does not allow the key of {whose} to use {named} ({code})"
    if code == "InvalidBucketName":
        return f"the S3 server does not allow the bucket name {job.bucket} (MLFLOW_BUCKET_NAME)"
    if code in OLD_CHECKSUMS:
        return (
            f"{server} does not take the checksums of new clients ({code}): "
            "set MINIO_STORAGE_CHECKSUMS=when_required"
        )
    return f"the S3 server refused {named}: {message or code} ({code})"
