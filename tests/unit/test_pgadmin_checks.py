"""What `verify` finds out about pgAdmin, or about what answers in its place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest

from mlflow_compose.checks.pgadmin import check_pgadmin
from mlflow_compose.checks.proof import Mismatch
from mlflow_compose.settings.pgadmin import PGADMIN_EMAIL
from mlflow_compose.stack import causes_of
from tests.unit.fakes import FakeEngine
from tests.unit.samples import SECRETS, stack

PASSWORD = SECRETS["PGADMIN_PASSWORD"]
LOGIN, START, POLL = "POST /authenticate/login", "POST /sqleditor/query_tool", "GET /sqleditor/poll"
GROUPS, SERVERS = "GET /browser/server_group/nodes", "GET /browser/server/nodes"
CONNECT, TAB = "POST /browser/server/connect", "POST /sqleditor/initialize"
SCRIPT = "pgAdmin['csrf_token'] = 'page-token';"
# By the start of a request: what pgAdmin answers to those who are logged in.
WELL: Mapping[str, tuple[int, object]] = {
    GROUPS: (200, {"data": [{"_id": "1"}]}),
    SERVERS: (200, {"result": [{"_id": "7"}]}),
    CONNECT: (200, {"data": {"did": 5, "db": "mlflow"}}),
    TAB: (200, {}),
    START: (200, {}),
    POLL: (200, {"data": {"status": "Success", "result": [[3]]}}),
    "GET /browser/js/utils.js": (200, SCRIPT),
    "GET /login": (200, '"csrfToken": "form-token"'),
    "GET /browser/": (200, ""),
    "DELETE /sqleditor/close": (200, {}),
    "GET /logout": (302, ""),
}


@dataclass
class Answers:
    """The answers of a server, and what it was asked."""

    by_request: dict[str, tuple[int, object]] = field(default_factory=lambda: dict(WELL))
    is_open: bool = False
    accepts: str = PASSWORD
    requests: list[str] = field(default_factory=list)
    forms: list[Mapping[str, list[str]]] = field(default_factory=list)
    port: int = 0

    def to(self, request: str, body: str, token: str | None) -> tuple[int, object]:
        self.requests.append(request)
        if request.startswith(LOGIN):
            self.forms.append(parse_qs(body))
            self.is_open |= self.forms[-1]["password"] == [self.accepts]
            return 302, ""
        if request.startswith("GET /browser/") and not self.is_open:
            return 302, ""
        if not request.startswith("GET") and token != "page-token":
            return 400, {}
        return next(
            answer for start, answer in self.by_request.items() if request.startswith(start)
        )


@pytest.fixture
def server() -> Iterator[Answers]:
    """Provide a server that answers like pgAdmin, until a test changes an answer."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            token = self.headers["X-pgA-CSRFToken"]
            status, content = answers.to(f"{self.command} {self.path}", body, token)
            self.send_response(status)
            self.end_headers()
            text = content if isinstance(content, str) else json.dumps(content)
            self.wfile.write(text.encode())

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
    return FakeEngine(stack(PGADMIN="true", PGADMIN_PORT=str(port)))


def cause(found: FakeEngine) -> str:
    """Return the cause of the failure that is found, which must be known."""
    with pytest.raises(Mismatch) as caught:
        check_pgadmin(found)
    assert caught.value.cause in causes_of(found.stack.stores)
    return caught.value.cause


def test_a_working_server_must_be_proven_and_left_logged_out(server: Answers) -> None:
    assert check_pgadmin(engine_at(server.port)).startswith("3 runs")
    (form,) = server.forms
    assert form == {
        "email": [PGADMIN_EMAIL],
        "password": [PASSWORD],
        "csrf_token": ["form-token"],
    }
    assert server.requests[0] == "GET /browser/"
    assert any(request.startswith("DELETE /sqleditor/close") for request in server.requests)
    assert server.requests[-1] == "GET /logout"


def test_the_password_must_not_be_sent_to_another_server(server: Answers) -> None:
    found = engine_at(server.port)
    found.held = frozenset()
    assert cause(found) == "pgadmin_down"
    assert server.requests == []


def test_a_server_without_a_login_must_be_reported(server: Answers) -> None:
    server.is_open = True
    assert cause(engine_at(server.port)) == "pgadmin_open"
    assert server.forms == []


def test_a_refused_password_must_be_reported(server: Answers) -> None:
    server.accepts = "another"
    assert cause(engine_at(server.port)) == "pgadmin_password"


@pytest.mark.parametrize(
    ("request_line", "answer", "expected"),
    [
        ("GET /login", (200, "a page of something else"), "pgadmin_error"),
        (GROUPS, (200, []), "pgadmin_error"),
        (SERVERS, (200, {"result": []}), "pgadmin_database"),
        (CONNECT, (401, {"errormsg": "password authentication failed"}), "pgadmin_database"),
        (CONNECT, (428, {}), "pgadmin_database"),
        (TAB, (500, {}), "pgadmin_database"),
        (POLL, (500, {"errormsg": "permission denied"}), "pgadmin_database"),
        (POLL, (200, {"data": {"status": "Success", "result": []}}), "pgadmin_error"),
    ],
)
def test_a_broken_server_must_be_reported_with_its_cause(
    server: Answers, request_line: str, answer: tuple[int, object], expected: str
) -> None:
    server.by_request[request_line] = answer
    assert cause(engine_at(server.port)) == expected


def test_a_server_that_does_not_listen_must_be_reported(server: Answers) -> None:
    assert server.port
    assert cause(engine_at(1)) == "pgadmin_down"
