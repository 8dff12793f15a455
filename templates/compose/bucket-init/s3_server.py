"""The S3 server that the job talks to, and messages for its errors."""

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
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, SSLError
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

ROOT_KEY = "MINIO_ROOT_USER and MINIO_ROOT_PASSWORD"
APP_KEY = "MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"
ROLE = "S3_CREDENTIALS=role"
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
OTHER_REGION = ("301", "PermanentRedirect", "AuthorizationHeaderMalformed")
FORBIDDEN = ("AccessDenied", "AllAccessDisabled")
# The error of servers that do not support checksums after the body of an object.
OLD_CHECKSUMS = ("MissingContentLength",)
REFUSED = 400
# The statuses of a server that is not ready start here.
NOT_READY = 500
# Seconds.
RETRY_EVERY, REPORT_AFTER = 0.1, 20.0


class JobError(Exception):
    """Why the job failed, in one sentence."""


@dataclass(frozen=True)
class Key:
    """An S3 access key."""

    id: str
    secret: str = field(repr=False)


# boto3 then asks AWS for the credentials of the machine's role.
NO_KEY = Key("", "")


@dataclass(frozen=True)
class Job:
    """What to create, and where."""

    endpoint: str | None
    bucket: str
    region: str
    root: Key
    app: Key
    may_create: bool = True
    # Suffix of the module that creates the key, empty if there is no key to create.
    key_maker: str = ""
    # Who the key is for, part of the name of its policy.
    holder: str = "application"
    # The settings or options that name the bucket and the key, for messages.
    bucket_setting: str = "MLFLOW_BUCKET_NAME"
    app_settings: str = APP_KEY

    @property
    def has_users(self) -> bool:
        """Whether the server has other keys than its root key."""
        return self.root != self.app

    @property
    def server(self) -> str:
        """The name of the server in messages."""
        return f"the S3 server at {self.endpoint}" if self.endpoint else "Amazon S3"


def s3_client(job: Job, key: Key) -> Any:  # noqa: ANN401 - boto3 creates its clients at run time
    """Return an S3 client with short timeouts."""
    client = boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=job.region,
        aws_access_key_id=key.id or None,
        aws_secret_access_key=key.secret or None,
        config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 3}),
    )
    client.meta.events.register("response-received.s3", stay_in_region)
    return client


def wait_until_ready(url: str, seconds: float) -> None:
    """Wait until the response from `url` shows that the server is ready, for at most `seconds`.

    If it never is ready, the job's next requests report the reason.
    """
    server = PoolManager(timeout=Timeout(connect=5, read=15), retries=False)
    start, reported = time.monotonic(), False
    while (waited := time.monotonic() - start) < seconds:
        try:
            status = server.request("GET", url).status
            if status < NOT_READY:
                return
            reason = f"it responds with status {status}"
        except HTTPError as error:
            reason = str(error)
        if waited > REPORT_AFTER and not reported:
            reported = True
            print(f"waiting for the S3 server at {url}: {reason}", flush=True)
        time.sleep(RETRY_EVERY)


def stay_in_region(parsed_response: Any = None, **_: object) -> None:  # noqa: ANN401 - of boto3
    """Do not follow redirects to another region, as boto3 does: MLflow would do so every time."""
    if parsed_response and parsed_response.get("Error", {}).get("Code") in OTHER_REGION:
        raise ClientError(parsed_response, "")


def administer(
    job: Job, request: str, query: Mapping[str, str], body: bytes = b"", *, allowed: int = 0
) -> tuple[int, bytes]:
    """Send a request of the server's admin API, signed with the root key.

    Args:
        job: Server and root key.
        request: Method and path.
        query: Query parameters.
        body: Body of the request.
        allowed: Status that is not a failure, besides those below 400.
    """
    method, path = request.split()
    url = f"{job.endpoint}{path}?{urlencode(query, quote_via=quote)}".rstrip("?")
    signed = AWSRequest(method, url, data=body)
    S3SigV4Auth(Credentials(job.root.id, job.root.secret), "s3", job.region).add_auth(signed)
    answer = http().request(method, url, body=body, headers=dict(signed.headers.items()))
    if answer.status >= REFUSED and answer.status != allowed:
        text = answer.data.decode(errors="replace")[:200]
        raise JobError(
            f"the S3 server rejected an admin request: {request}: {answer.status} {text}"
        )
    return answer.status, answer.data


def http() -> PoolManager:
    """Return an HTTP client with short timeouts."""
    return PoolManager(timeout=Timeout(connect=5, read=15), retries=Retry(2))


@contextmanager
def explained_errors(job: Job, key_settings: str = ROOT_KEY) -> Iterator[None]:
    """Turn exceptions of the block into a `JobError`."""
    try:
        yield
    except ClientError as error:
        raise JobError(explanation(job, error, key_settings)) from error
    except SSLError as error:
        raise JobError(
            f"the certificate of {job.server} is not trusted (MINIO_STORAGE_CA_CERTS): {error}"
        ) from error
    except NoCredentialsError as error:
        raise JobError(
            f"AWS gives this machine no role ({ROLE}), or containers cannot reach its metadata "
            "service: that needs a hop limit of 2"
        ) from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise JobError(unreachable(job, str(error))) from error


def unreachable(job: Job, reason: str) -> str:
    """Return the message for a server that does not respond."""
    host = urlsplit(job.endpoint or "").hostname
    if host and not job.has_users and not resolves(host):
        return f"MINIO_HOST does not resolve: {host}"
    return f"{job.server} cannot be reached: {reason}"


def resolves(host: str) -> bool:
    """Tell whether a host name resolves."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror:
        return False
    return True


def explanation(job: Job, error: ClientError, key_settings: str) -> str:
    """Return the message for a request that the S3 server rejected."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    server = job.server
    named = f"the bucket {job.bucket} ({job.bucket_setting})"
    key = f"this machine's role ({ROLE})" if key_settings == ROLE else f"the key in {key_settings}"
    if code in WRONG_KEY or (job.has_users and code == "AccessDenied"):
        return f"{server} rejected {key} ({code}): it expects a different one"
    if code in {"404", "NoSuchBucket"}:
        return f"{named} does not exist; create it, or set MLFLOW_BUCKET_CREATE=true"
    if code in OTHER_REGION:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        named_region = headers.get("x-amz-bucket-region") or error.response["Error"].get("Region")
        region = named_region or "another region"
        return f"{named} is in {region}, not in {job.region} (AWS_DEFAULT_REGION)"
    if code == "403" or code in FORBIDDEN:
        return f"{server} does not allow {key} to use {named} ({code})"
    if code == "InvalidBucketName":
        return f"the S3 server does not allow the bucket name {job.bucket} ({job.bucket_setting})"
    if code in OLD_CHECKSUMS:
        return (
            f"{server} does not support the checksums of newer clients ({code}); "
            "set MINIO_STORAGE_CHECKSUMS=when_required"
        )
    return f"the S3 server rejected a request for {named}: {message or code} ({code})"
