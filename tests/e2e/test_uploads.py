"""Uploads reach the S3 server while they arrive, completely or not at all."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from .running import RunningStack, docker_only
from .tracking import ARTIFACTS
from .waiting import wait_until

# Two parts and a bit.
LARGE = bytes(range(256)) * (20 * 1024 * 4)
HALF = len(LARGE) // 2
# More than an S3 server with the default memory target would allow by itself.
MANY = 64


def unfinished(stack: RunningStack) -> list[str]:
    """Return the keys of the uploads in parts that have begun, but not ended."""
    found = stack.s3(stack.root_key).list_multipart_uploads(Bucket=stack.bucket)
    return [upload["Key"] for upload in found.get("Uploads", [])]


@contextmanager
def begun(url: str, length: int, content: bytes = b"") -> Iterator[socket.socket]:
    """Send the headers of a PUT request, and only a part of its body."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    address = (str(parts.hostname), int(parts.port or 0))
    with socket.create_connection(address, timeout=30) as connection:
        head = f"PUT {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + content)
        yield connection


@docker_only("rclone does not list uploads that have begun")
def test_an_upload_that_the_client_breaks_off_must_store_nothing(shared: RunningStack) -> None:
    run = shared.log_run()
    key = run.key.replace("weights.bin", "broken.bin")
    with begun(f"{shared.url}{ARTIFACTS}/{key}", len(LARGE), LARGE[:HALF]):
        wait_until(lambda: key in unfinished(shared), seconds=30, what="the first part is sent")
    wait_until(lambda: key not in unfinished(shared), seconds=30, what="the upload is cancelled")
    assert key not in shared.objects()
    assert shared.api.call("GET", f"{ARTIFACTS}/{key}").status_code == 404
    # Neither is it an error in MLflow: a traceback in the output would fail here.
    shared.tool("logs", "mlflow")
    shared.api.artifact("PUT", key, LARGE)
    assert shared.api.call("GET", f"{ARTIFACTS}/{key}").content == LARGE


@docker_only("rclone accepts any number of requests")
def test_a_memory_target_must_not_limit_the_number_of_requests(shared: RunningStack) -> None:
    client = shared.s3()
    with ExitStack() as stack:
        for number in range(MANY):
            target = {"Bucket": shared.bucket, "Key": f"held/{number}"}
            stack.enter_context(begun(client.generate_presigned_url("put_object", target), HALF))
        client.put_object(Bucket=shared.bucket, Key="held/last", Body=b"stored")
    client.delete_object(Bucket=shared.bucket, Key="held/last")
