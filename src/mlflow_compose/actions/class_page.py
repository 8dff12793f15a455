"""`class serve` and `class status`: the seats of a class, in a browser and in a terminal."""

import errno
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime

from mlflow_compose import machine
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom.board import CHANGING, HEALTHY, Board, SeatState
from mlflow_compose.classroom.listing import table
from mlflow_compose.engines import Engine, holder_of
from mlflow_compose.errors import PortTakenError, UsageError
from mlflow_compose.paths import sources
from mlflow_compose.payloads import ClassStatus, SeatFound
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack.site import url_host
from mlflow_compose.webpage import Page, listen, serving, wait

FILES = "class-page"
# Characters of the teacher's password: with it, everything that the class did can be deleted.
LEAST_PASSWORD = 12
NEXT = "Next       mlflow-compose class up   starts what is broken"
HERE = ("localhost", "127.0.0.1", "[::1]")


def status(board: Board) -> Result:
    """Return the state of every seat."""
    states = board.states()
    seats = [
        SeatFound(
            one.seat,
            one.names,
            one.url,
            one.health,
            one.runs,
            one.storage,
            one.last_activity.isoformat(timespec="seconds") if one.last_activity else None,
        )
        for one in states
    ]
    return Result(ClassStatus(seats, board.trouble or None), lines(states, board.trouble))


def watch(board: Board, pause: Callable[[], None]) -> Iterator[Sequence[str]]:
    """Yield the state of every seat, one look after the other, until the caller stops."""
    while True:
        yield lines(board.states(), board.trouble)
        pause()


def lines(states: Sequence[SeatState], trouble: str) -> list[str]:
    """Return the state of every seat as a table, and a summary."""
    healthy = sum(one.health == HEALTHY for one in states)
    summary = f"{healthy} of {len(states)} seats are healthy"
    problem = [trouble] if trouble else []
    broken = [one for one in states if one.health not in {HEALTHY, *CHANGING}]
    return [*table(states, datetime.now(UTC)), "", summary, *problem, *([NEXT] if broken else [])]


def serve(  # noqa: PLR0913 - independent options
    plan: Plan,
    engine: Engine,
    board: Board,
    *,
    address: str | None,
    progress: Progress,
    announce: Callable[[str], object],
) -> None:
    """Serve the teacher's page until an exception, such as that of Ctrl-C, ends this.

    Args:
        plan: The stack.
        engine: Its engine.
        board: The class.
        address: Address of this machine to listen on, instead of STACK_BIND_ADDRESS.
        progress: Receiver of progress.
        announce: Prints a line.

    Raises:
        UsageError: There is no password, or it is too short; the address is not this machine's.
        PortTakenError: Another process uses the port.
    """
    settings = plan.loaded.settings
    password = settings.class_password.get_secret_value()
    if len(password) < LEAST_PASSWORD:
        problem = "is empty" if not password else f"has fewer than {LEAST_PASSWORD} characters"
        raise UsageError(
            f"CLASS_PASSWORD {problem}, and everyone in the room can reach the teacher's page",
            hint=f"set CLASS_PASSWORD in .env to at least {LEAST_PASSWORD} characters",
        )
    chosen = address or settings.stack_bind_address
    hosts = hosts_of(chosen)
    certificate = plan.stack.certificate
    pem = certificate.chain + certificate.key if certificate else ""
    page = Page(plan.stack.name, password, settings.class_port, hosts, pem)
    with (
        _listening(chosen, settings.class_port, engine) as listening,
        serving(board, page, sources(FILES), listening, progress) as ended,
    ):
        for line in _where(chosen, page):
            announce(line)
        wait(ended)


def hosts_of(address: str) -> tuple[str, ...]:
    """Return the names by which browsers reach a page that listens on an address."""
    if is_loopback(address):
        return HERE
    names = machine.lan_names(address, socket.gethostname(), machine.own_addresses())
    return (*names, *HERE)


def _where(address: str, page: Page) -> Iterator[str]:
    def url(host: str) -> str:
        return f"{page.scheme}://{host}:{page.port}"

    yield f"Class      {url(url_host(address))}"
    if not is_loopback(address):
        yield f"Network    {url(page.hosts[-len(HERE) - 1])}   or {url(page.hosts[0])}"
    yield "Password   the value of CLASS_PASSWORD in .env"
    yield "Press Ctrl-C to stop the page; the seats keep running."


def _listening(address: str, port: int, engine: Engine) -> socket.socket:
    try:
        return listen(address, port)
    except OSError as error:
        raise _refusal(address, port, engine, error) from None


def _refusal(address: str, port: int, engine: Engine, error: OSError) -> Exception:
    """Return the error for a port that cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        owner = holder_of(engine, port) or "another process"
        return PortTakenError(
            f"port {port} is already in use by {owner}, so the teacher's page cannot use it",
            hint=f"set CLASS_PORT={_free(port, engine)} in .env, or stop what holds the port",
        )
    others = ", ".join(("127.0.0.1", *machine.own_addresses()))
    return UsageError(
        f"the teacher's page cannot listen on {address}: {error.strerror}",
        hint=f"the addresses of this machine are {others}; 0.0.0.0 is all of them",
    )


def _free(port: int, engine: Engine) -> int:
    """Return a port below that no service of the stack uses."""
    used: Collection[int] = {one.published for _, one in engine.stack.ports}
    return next(one for one in range(port - 1, 0, -1) if one not in used)
