"""Runs the teacher's page until the command ends."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING

from mlflow_compose.classroom.board import Board
from mlflow_compose.result import Progress
from mlflow_compose.webpage.access import Access
from mlflow_compose.webpage.live import Live
from mlflow_compose.webpage.page import Page
from mlflow_compose.webpage.work import Work

if TYPE_CHECKING:
    from asyncio import Protocol, Transport

    from starlette.types import ASGIApp
    from uvicorn import Server

# Connections that wait to be accepted, and connections at the same time.
BACKLOG, MOST_CONNECTIONS = 128, 256
# Connections of one address: one participant must not use up all of them. A browser needs six.
MOST_PER_ADDRESS = 32
# Seconds: between two checks of the server's thread, and for connections to end.
CHECK_EVERY, PATIENCE = 0.5, 5


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The port is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)


@contextmanager
def serving(
    board: Board,
    page: Page,
    files: Mapping[str, str],
    listening: socket.socket,
    progress: Progress,
) -> Iterator[Event]:
    """Serve the page while the block runs; it gets an event that is set if the server ends.

    What a button asked for is finished at the end: a seat that is half reset would be of no use.

    Args:
        board: The class.
        page: Its page.
        files: Texts of the page's files, by name.
        listening: Socket that listens.
        progress: Receiver of progress.
    """
    from mlflow_compose.webpage.app import App

    live = Live(board, page.look_every)
    work = Work(board, live.show_jobs)
    server = _server(App(page, files, Access(page.password), live, work).asgi(), page.pem)
    ended = Event()

    def run() -> None:
        try:
            server.run([listening])
        finally:
            ended.set()

    # In a thread, where uvicorn leaves signals to this tool.
    thread = Thread(target=run, name="class-page", daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        if job := work.running:
            progress.note(f"waiting until the {job.action} of {job.seat} is finished")
        work.close()
        # Its browsers are told first: the server waits for their connections.
        live.close()
        server.should_exit = True
        thread.join()


def wait(ended: Event) -> None:
    """Wait for an event in a way that signals interrupt on every system.

    Not for the thread: up to Python 3.12, one counts as ended once a signal interrupts its `join`.
    """
    while not ended.is_set():
        # Without a limit, Ctrl-C would not interrupt this on Windows.
        ended.wait(CHECK_EVERY)


def _server(app: "ASGIApp", pem: str) -> "Server":
    from uvicorn import Config, Server

    context = _tls(pem) if pem else None
    config = Config(
        app,
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        http=_bounded(),
        loop="asyncio",
        # A header could claim another address for each wrong password.
        proxy_headers=False,
        server_header=False,
        ssl_context_factory=(lambda *_: context) if context else None,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=PATIENCE,
    )
    return Server(config)


def _bounded() -> "type[Protocol]":
    """Return uvicorn's protocol, which closes connections of an address that has too many."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Bounded(H11Protocol):
        def connection_made(self, transport: "Transport") -> None:  # type: ignore[override]
            super().connection_made(transport)
            host = self.client and self.client[0]
            others = [one.client for one in self.connections if isinstance(one, Bounded)]
            if sum(other is not None and other[0] == host for other in others) > MOST_PER_ADDRESS:
                transport.abort()

    return Bounded


def _tls(pem: str) -> ssl.SSLContext:
    """Return what encrypts connections; it can only be read from a file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as private:
        file = Path(private, "page.pem")
        file.write_text(pem, encoding="ascii")
        context.load_cert_chain(file)
    return context
