"""What `verify` finds out about JupyterLab, or about what answers in its place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from mlflow_compose.checks.notebooks import check_notebooks
from mlflow_compose.checks.proof import Mismatch
from mlflow_compose.stack import causes_of
from tests.unit.fakes import FakeEngine
from tests.unit.samples import SECRETS, stack

TOKEN = f"token {SECRETS['JUPYTER_TOKEN']}"
KERNEL = {"id": "0123", "execution_state": "idle"}
FILES, KERNELS, PAGE = "/api/contents", "/api/kernels", "/lab"
WELL: Mapping[str, tuple[int, object]] = {
    f"GET {PAGE}": (200, {}),
    f"GET {FILES}": (200, {"writable": True}),
    f"POST {KERNELS}": (201, KERNEL),
    f"GET {KERNELS}/0123": (200, KERNEL),
    f"GET {KERNELS}/0123/channels": (200, {}),
    f"DELETE {KERNELS}/0123": (204, {}),
}


@dataclass
class Answers:
    """The answers of a server to requests with the token, and what it was asked."""

    by_request: dict[str, tuple[int, object]] = field(default_factory=lambda: dict(WELL))
    is_open: bool = False
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def to(self, request: str, login: str | None) -> tuple[int, object]:
        self.requests.append(f"{request} {login}")
        return self.by_request[request] if self.is_open or login == TOKEN else (403, {})


@pytest.fixture
def server() -> Iterator[Answers]:
    """Provide a server that answers like JupyterLab, until a test changes an answer."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            login = self.headers["Authorization"]
            status, content = answers.to(f"{self.command} {self.path}", login)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as found:
        answers.port = found.server_port
        thread = Thread(target=found.serve_forever)
        thread.start()
        yield answers
        found.shutdown()
        thread.join()


def engine_at(port: int) -> FakeEngine:
    return FakeEngine(stack(JUPYTER="true", JUPYTER_PORT=str(port)))


def cause(found: FakeEngine) -> str:
    """Return the cause of the failure that is found, which must be known."""
    with pytest.raises(Mismatch) as caught:
        check_notebooks(found)
    assert caught.value.cause in causes_of(found.stack.stores)
    return caught.value.cause


def test_a_working_server_must_be_proven_and_its_kernel_shut_down(server: Answers) -> None:
    assert "kernel" in check_notebooks(engine_at(server.port))
    assert server.requests[0] == f"GET {FILES} None"
    assert server.requests[-1] == f"DELETE {KERNELS}/0123 {TOKEN}"


def test_the_token_must_not_be_sent_to_another_server(server: Answers) -> None:
    found = engine_at(server.port)
    found.held = frozenset()
    assert cause(found) == "jupyter_down"
    assert server.requests == []


def test_a_server_without_a_token_must_be_reported(server: Answers) -> None:
    server.is_open = True
    assert cause(engine_at(server.port)) == "jupyter_open"
    assert not any(TOKEN in request for request in server.requests)


@pytest.mark.parametrize(
    ("request_line", "answer", "expected"),
    [
        (f"GET {PAGE}", (302, {}), "jupyter_error"),
        (f"GET {FILES}", (403, {}), "jupyter_token"),
        (f"GET {FILES}", (500, {}), "jupyter_error"),
        (f"GET {FILES}", (200, {"writable": False}), "jupyter_read_only"),
        (f"GET {FILES}", (200, []), "jupyter_error"),
        (f"POST {KERNELS}", (500, {}), "jupyter_error"),
        (f"GET {KERNELS}/0123", (404, {}), "jupyter_error"),
    ],
)
def test_a_broken_server_must_be_reported_with_its_cause(
    server: Answers, request_line: str, answer: tuple[int, object], expected: str
) -> None:
    server.by_request[request_line] = answer
    assert cause(engine_at(server.port)) == expected


def test_a_server_that_does_not_listen_must_be_reported(server: Answers) -> None:
    assert server.port
    assert cause(engine_at(1)) == "jupyter_down"
