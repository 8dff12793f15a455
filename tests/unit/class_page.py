"""A class in memory, its page on a real server, and a browser's requests to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import requests

from mlflow_compose.classroom.board import SeatState
from mlflow_compose.errors import UsageError
from mlflow_compose.paths import sources
from mlflow_compose.result import NoProgress
from mlflow_compose.webpage import Page, listen, serving

PASSWORD = "a password of the teacher"
SECONDS = 30
LOOK_EVERY = 0.5


def seats(count: int) -> list[SeatState]:
    """Return seats, of which the third is not healthy."""
    now = datetime.now(UTC)
    return [
        SeatState(
            f"s{number:02}",
            f"Person Number {number} <b>&",
            f"http://127.0.0.1:{5200 + number}",
            "unhealthy" if number == 3 else "healthy",
            number * 3,
            number * 1_400_000,
            now - timedelta(minutes=number),
        )
        for number in range(1, count + 1)
    ]


@dataclass
class MemoryBoard:
    """A class in memory."""

    seats: list[SeatState]
    # Set to let an action end.
    may_end: Event = field(default_factory=Event)
    done: list[tuple[str, str]] = field(default_factory=list)
    fails: Exception | None = None
    looks: int = 0
    trouble: str = ""

    def __post_init__(self) -> None:
        self.may_end.set()

    def states(self) -> Sequence[SeatState]:
        """Return the seats."""
        self.looks += 1
        if self.fails:
            raise self.fails
        return list(self.seats)

    def restart(self, seat: str) -> None:
        """Make a seat healthy, unless it is the last one."""
        assert self.may_end.wait(SECONDS)
        self.done.append(("restart", seat))
        if seat == self.seats[-1].seat:
            raise UsageError(f"{seat} keeps restarting")
        self.change(seat, health="healthy")

    def reset(self, seat: str) -> None:
        """Empty a seat."""
        assert self.may_end.wait(SECONDS)
        self.done.append(("reset", seat))
        self.change(seat, runs=0, storage=0, last_activity=None)

    def change(self, seat: str, **values: Any) -> None:  # noqa: ANN401 - of any field
        """Change a seat."""
        self.seats = [replace(one, **values) if one.seat == seat else one for one in self.seats]


@contextmanager
def page_of(board: MemoryBoard, port: int = 0, pem: str = "") -> Iterator["Client"]:
    """Serve the page of a class on a port, by default a free one; with a certificate, with TLS."""
    with listen("127.0.0.1", port) as listening:
        port = listening.getsockname()[1]
        page = Page("ws", PASSWORD, port, ["localhost", "127.0.0.1"], pem, look_every=LOOK_EVERY)
        with serving(board, page, sources("class-page"), listening, NoProgress()):
            client = Client(f"{page.scheme}://127.0.0.1:{port}")
            yield client
            if pem:
                # Otherwise the server would end before the client has agreed to end TLS.
                client.session.close()


class Client:
    """A browser's requests, without a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.token = ""

    def get(self, path: str, **headers: str) -> requests.Response:
        """Request a page without following redirects."""
        return self.session.get(
            self.url + path, headers=headers, allow_redirects=False, timeout=SECONDS
        )

    def post(
        self, path: str, data: Mapping[str, str] | None = None, **headers: str
    ) -> requests.Response:
        """Send a form from this page, unless headers say otherwise."""
        sent = {
            "Origin": self.url,
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        return self.session.post(
            self.url + path, data, headers=sent, allow_redirects=False, timeout=SECONDS
        )

    def log_in(self, password: str = PASSWORD) -> requests.Response:
        """Enter a password; if it is right, remember the page's token."""
        answer = self.post("/login", {"password": password})
        if answer.is_redirect:
            self.token = self.get("/").text.split('name="token" content="')[1].split('"')[0]
        return answer

    def act(self, seat: str, action: str, **headers: str) -> requests.Response:
        """Press a button."""
        return self.post(f"/seats/{seat}/{action}", None, **{"X_Page_Token": self.token, **headers})

    @contextmanager
    def events(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Provide the snapshots that are pushed."""
        with self.session.get(f"{self.url}/events", stream=True, timeout=SECONDS) as answer:
            assert answer.status_code == 200
            yield (
                json.loads(line.removeprefix(b"data: "))
                for line in answer.iter_lines(chunk_size=1)
                if line.startswith(b"data: ")
            )
