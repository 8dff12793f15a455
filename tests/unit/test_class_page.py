"""The teacher's page, on a real server, for a class in memory."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import requests

from mlflow_compose.actions.class_page import lines
from mlflow_compose.classroom.board import SeatState
from mlflow_compose.classroom.listing import table
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import StackPaths, sources
from mlflow_compose.tls import own_certificate
from mlflow_compose.webpage import access, listen, live, server
from mlflow_compose.webpage.access import Access
from mlflow_compose.webpage.guard import without_port

from .class_page import PASSWORD, SECONDS, Client, MemoryBoard, page_of, seats

SEE_OTHER = 303


@pytest.fixture
def board() -> MemoryBoard:
    return MemoryBoard(seats(4))


@pytest.fixture
def client(board: MemoryBoard) -> Iterator[Client]:
    with page_of(board) as client:
        yield client


def test_only_the_password_must_open_the_page(client: Client) -> None:
    assert client.get("/").headers["location"] == "/login"
    assert client.get("/events").status_code == 401
    assert client.act("s01", "restart").status_code == 401
    wrong = client.log_in("a password of the pupils")
    assert wrong.status_code == 401
    assert "Wrong password" in wrong.text
    right = client.log_in()
    assert (right.status_code, right.headers["location"]) == (SEE_OTHER, "/")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert PASSWORD not in client.get("/").text
    client.post("/logout")
    assert client.get("/").status_code == SEE_OTHER


def test_a_logged_out_browser_must_get_no_more_events(client: Client) -> None:
    client.log_in()
    with client.events() as events:
        next(events)
        client.post("/logout")
        # The stream ends with the next thing that would be pushed.
        assert len(list(events)) <= 2


def test_guessing_passwords_must_be_slow(client: Client) -> None:
    for _ in range(access.MOST_WRONG):
        assert client.log_in("wrong").status_code == 401
    refused = client.log_in()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= access.WITHIN + 1
    assert "Try again in" in refused.text


def test_an_address_must_be_let_in_again_after_a_while() -> None:
    now = 0.0
    pupils = Access(PASSWORD, lambda: now)
    for _ in range(access.MOST_WRONG):
        assert pupils.log_in("wrong", "192.0.2.7") is None
    assert pupils.log_in(PASSWORD, "192.0.2.7") is None
    # Others need not wait.
    assert pupils.log_in(PASSWORD, "192.0.2.8")
    now += access.WITHIN + 1
    session = pupils.log_in(PASSWORD, "192.0.2.7")
    assert session
    assert pupils.session(session.cookie) == session
    now += access.LASTS
    assert pupils.session(session.cookie) is None


def test_sessions_must_be_bounded() -> None:
    teacher = Access(PASSWORD)
    made = [teacher.log_in(PASSWORD, "") for _ in range(access.MOST_SESSIONS + 2)]
    alive = [session for session in made if session and teacher.session(session.cookie)]
    assert alive == made[2:]


def test_other_sites_must_not_press_buttons(client: Client, board: MemoryBoard) -> None:
    client.log_in()
    # A seat's server is at another port of the same host, to which cookies are sent as well.
    for origin in ("http://evil.example", "null", "http://127.0.0.1:5201", ""):
        assert client.act("s01", "restart", Origin=origin).status_code == 403, origin
    assert client.post("/seats/s01/restart").status_code == 403
    assert client.act("s01", "restart", X_Page_Token="guess").status_code == 403
    assert client.get("/seats/s01/restart").status_code == 405
    assert board.done == []


def test_other_names_must_not_reach_the_page(client: Client) -> None:
    port = client.url.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "", "localhost.evil.example"):
        assert client.get("/login", Host=host).status_code == 403, host
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}"):
        assert client.get("/login", Host=host).status_code == 200, host


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:b", "a:b")],
)
def test_the_port_of_a_host_must_not_matter(host: str, name: str) -> None:
    assert without_port(host) == name


def test_every_answer_must_be_strict(client: Client) -> None:
    for path in ("/", "/login", "/page.js", "/events", "/nothing"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'"), path
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_the_page_must_work_without_a_network() -> None:
    for name, text in sources("class-page").items():
        for prefix in ("http://", "https://", "//cdn", "@import", "url("):
            allowed = text.count("http://www.w3.org/2000/svg")
            assert text.count(prefix) <= allowed, name


def test_a_change_must_be_pushed(client: Client, board: MemoryBoard) -> None:
    client.log_in()
    with client.events() as events:
        first = next(each for each in events if each["seats"])
        assert first["seats"][0]["names"] == "Person Number 1 <b>&"
        board.change("s01", runs=77)
        # After any action, at once.
        client.act("s02", "restart")
        assert next(each for each in events if each["seats"][0]["runs"] == 77)


def states(snapshot: dict[str, Any]) -> list[str]:
    """Return the states of the jobs in a snapshot."""
    return [job["state"] for job in snapshot["jobs"]]


def test_actions_must_run_one_at_a_time(client: Client, board: MemoryBoard) -> None:
    client.log_in()
    board.may_end.clear()
    with client.events() as events:
        assert next(each for each in events if each["seats"])
        assert client.act("s01", "restart").status_code == 202
        assert client.act("s02", "reset", X_Confirm="s02").status_code == 202
        again = client.act("s02", "restart")
        assert (again.status_code, "previous action" in again.text) == (409, True)
        assert next(each for each in events if states(each) == ["running", "waiting"])
        board.may_end.set()
        assert client.act("s04", "restart").status_code == 202
        last = next(each for each in events if states(each) == ["done", "done", "failed"])
    assert board.done == [("restart", "s01"), ("reset", "s02"), ("restart", "s04")]
    assert last["jobs"][2]["text"] == "s04 keeps restarting"


def test_a_reset_must_be_confirmed(client: Client, board: MemoryBoard) -> None:
    client.log_in()
    with client.events() as events:
        assert next(each for each in events if each["seats"])
        assert client.act("s01", "reset").status_code == 400
        assert client.act("s01", "reset", X_Confirm="s02").status_code == 400
        assert client.act("s99", "restart").status_code == 404
        assert client.act("s01", "delete").status_code == 404
    assert board.done == []


def test_what_is_wrong_must_be_shown(client: Client, board: MemoryBoard) -> None:
    client.log_in()
    with client.events() as events:
        before = next(each for each in events if each["seats"])
        board.fails = EngineError("Docker does not answer")
        client.act("s01", "restart")
        now = next(each for each in events if each["trouble"])
        assert now["trouble"] == "the seats cannot be read: Docker does not answer"
        assert now["seats"] == before["seats"]
        board.fails, board.trouble = None, "postgres, which all seats need, is exited"
        client.act("s02", "restart")
        assert next(each for each in events if each["trouble"] == board.trouble)


def test_a_bug_must_not_stop_the_page(
    client: Client, board: MemoryBoard, caplog: pytest.LogCaptureFixture
) -> None:
    client.log_in()
    with client.events() as events:
        assert next(each for each in events if each["seats"])
        board.fails = KeyError("a bug")
        client.act("s01", "restart")
        assert live.BUG in next(each for each in events if each["trouble"])["trouble"]
        board.fails = None
        client.act("s02", "restart")
        assert next(each for each in events if not each["trouble"])
    assert "KeyError" in caplog.text


def test_the_seats_must_only_be_looked_at_while_a_browser_shows_them(
    client: Client, board: MemoryBoard
) -> None:
    client.log_in()
    client.get("/")
    assert board.looks == 0
    with client.events() as events:
        assert next(each for each in events if each["seats"])
    assert board.looks > 0


def test_the_page_must_end_at_once_although_browsers_show_it(board: MemoryBoard) -> None:
    with page_of(board) as client:
        client.log_in()
        stream = client.session.get(f"{client.url}/events", stream=True, timeout=SECONDS)
        lines = stream.iter_lines(chunk_size=1)
        assert next(lines)
        began = time.monotonic()
    assert time.monotonic() - began < server.PATIENCE
    # The last snapshot, and then the end.
    assert len(list(lines)) < 10
    with pytest.raises(requests.ConnectionError):
        client.get("/")


def test_an_action_must_be_finished_before_the_page_ends(board: MemoryBoard) -> None:
    board.may_end.clear()
    with page_of(board) as client:
        client.log_in()
        with client.events() as events:
            assert next(each for each in events if each["seats"])
            client.act("s01", "reset", X_Confirm="s01")
            client.act("s02", "restart")
            assert next(each for each in events if len(each["jobs"]) == 2)
        Timer(0.2, board.may_end.set).start()
    # What was still waiting is dropped.
    assert board.done == [("reset", "s01")]


def test_the_page_must_be_encrypted_with_the_certificate_of_the_stack(
    board: MemoryBoard, tmp_path: Path
) -> None:
    paths = StackPaths(tmp_path / ".env")
    made = own_certificate(paths, "stack", ["localhost", "127.0.0.1"], datetime.now(UTC))
    trusted = tmp_path / "ca.crt"
    trusted.write_text(made.ca, encoding="ascii")
    with page_of(board, pem=made.chain + made.key) as client:
        assert client.url.startswith("https://")
        client.session.verify = str(trusted)
        assert "Secure" in client.log_in().headers["set-cookie"]
        assert client.get("/").status_code == 200


def test_a_long_body_must_be_cut_off(client: Client) -> None:
    answer = client.log_in("x" * 100_000)
    assert answer.status_code == 401


def test_one_address_must_not_use_up_all_connections(client: Client) -> None:
    port = int(client.url.rpartition(":")[2])
    opened = [
        socket.create_connection(("127.0.0.1", port), SECONDS, ("127.0.0.3", 0))
        for _ in range(2 * server.MOST_CONNECTIONS)
    ]
    try:
        assert client.get("/login").ok
    finally:
        for connection in opened:
            connection.close()


def test_a_port_that_is_taken_must_be_an_error() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])
    assert taken.fileno() == -1


def test_ipv6_must_be_listened_on() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with listen("::1", 0) as found:
        assert found.family == socket.AF_INET6


def test_a_broken_seat_must_be_followed_by_what_starts_it() -> None:
    whole = [SeatState("ada", "Ada", "", "healthy"), SeatState("bob", "Bob", "", "starting")]
    broken = [*whole, SeatState("cleo", "Cleo", "", "not running")]
    assert lines(whole, "")[-1] == "1 of 2 seats are healthy"
    assert lines(broken, "")[-1] == "Next       mlflow-compose class up   starts what is broken"


def test_the_table_must_show_every_seat() -> None:
    now = datetime.now(UTC)
    last = now - timedelta(hours=3)
    states = [
        SeatState("ada", "Ada Lovelace", "", "healthy", 12, 1_400_000, now),
        SeatState("bob", "bob", "", "starting", 0, 999, last),
        SeatState("s03", "s03", "", "exited", None, None, None),
    ]
    assert list(table(states, now)) == [
        "   seat  state     runs  last activity  storage  names",
        "   ada   healthy     12  just now        1.4 MB  Ada Lovelace",
        "…  bob   starting     0  3 h ago          999 B",
        "!  s03   exited       -  -                    -",
    ]
