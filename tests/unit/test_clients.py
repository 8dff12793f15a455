"""The clients report what happened, whatever the server does."""

import base64
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from mlflow_compose.clients import (
    NoAnswer,
    Objects,
    ObjectsError,
    Tracking,
    TrackingError,
    Unreachable,
    tracking,
)

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Serve every request with `answer`; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        body = b""

        def do_GET(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        do_POST = do_PUT = do_GET  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        thread = Thread(target=found.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()
            thread.join()


def answers(status: int, body: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body.encode())))
        request.end_headers()
        request.wfile.write(body.encode())

    return answer


def sends_half(request: BaseHTTPRequestHandler) -> None:
    """Send less than the announced length, like a server that dies midway."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"{")


def test_a_response_must_be_read() -> None:
    with server(answers(200, '{"experiment_id": "7"}')) as url:
        assert Tracking(url).post("experiments/create", name="x") == {"experiment_id": "7"}
    with server(answers(200, "OK")) as url:
        assert Tracking(url).health() == "OK"


def test_a_refusal_must_be_reported_with_mlflows_message() -> None:
    body = '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No  run\\nx"}'
    with server(answers(404, body)) as url, pytest.raises(TrackingError) as caught:
        Tracking(url).get("runs/get", run_id="x")
    assert caught.value.status == 404
    assert str(caught.value) == "GET /api/2.0/mlflow/runs/get answered 404: No run x"


@pytest.mark.parametrize("body", ["<h1>Bad gateway</h1>", "", "[1]", '"text"'])
def test_a_refusal_without_mlflows_message_must_be_reported_too(body: str) -> None:
    with server(answers(502, body)) as url, pytest.raises(TrackingError, match="answered 502"):
        Tracking(url).get("runs/get")


def test_another_program_on_the_port_must_be_reported() -> None:
    with server(answers(200, "<h1>It works</h1>")) as url, pytest.raises(TrackingError):
        Tracking(url).post("experiments/create", name="x")


def test_a_server_that_dies_midway_must_be_reported() -> None:
    with server(sends_half) as url, pytest.raises((TrackingError, Unreachable)):
        Tracking(url).get("runs/get")


def closes(_: BaseHTTPRequestHandler) -> None:
    """Close the connection without a response."""


def resets(request: BaseHTTPRequestHandler) -> None:
    """Reset the connection, like a proxy without a server behind it."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def hangs(request: BaseHTTPRequestHandler) -> None:
    """Never answer as long as the client waits."""
    request.rfile.read()


@pytest.mark.parametrize("silence", [closes, resets, hangs])
def test_a_server_that_answers_nothing_must_be_distinguished_from_a_stranger(
    monkeypatch: pytest.MonkeyPatch, silence: Answer
) -> None:
    monkeypatch.setattr(tracking, "TIMEOUT", 0.2)
    with server(silence) as url, pytest.raises(NoAnswer, match=f"{url} accepts connections"):
        Tracking(url).stack()


@pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_with_another_protocol_must_not_count_as_the_stack(words: bytes) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(words)

    with server(answer) as url:
        assert Tracking(url).stack() == ("", "")


def test_a_port_without_a_server_must_be_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unreachable, match=f"nothing answers at {url}"):
        Tracking(url).health()
    with pytest.raises(ObjectsError, match="does not answer"):
        Objects(url, "data", ("id", "secret-key"), "us-east-1").get("key")


def test_a_login_in_any_language_must_be_sent_as_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment must not receive it."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    seen: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        answers(200, "OK")(request)

    with server(answer) as url:
        Tracking(url, ("ädmin", "pä:ss")).health()
    assert base64.b64decode(seen[0].removeprefix("Basic ")).decode() == "ädmin:pä:ss"


def test_the_users_aws_profile_must_be_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to another account on other servers."""
    monkeypatch.setenv("AWS_PROFILE", "of-my-employer")
    with server(answers(200, "content")) as url:
        assert Objects(url, "data", ("id", "secret-key"), "us-east-1").get("key") == b"content"


def test_a_refusal_of_s3_must_be_reported_with_its_code() -> None:
    body = "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"
    with server(answers(404, body)) as url, pytest.raises(ObjectsError) as caught:
        Objects(url, "data", ("id", "secret-key"), "us-east-1").get("key")
    assert caught.value.code == "NoSuchKey"
    assert "secret-key" not in str(caught.value)


def test_an_interrupted_download_of_an_object_must_be_reported() -> None:
    with server(sends_half) as url, pytest.raises(ObjectsError):
        Objects(url, "data", ("id", "secret-key"), "us-east-1").get("key")
