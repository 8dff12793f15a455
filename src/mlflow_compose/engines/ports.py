"""Check that the ports that a stack publishes are free, and name what uses them."""

import errno
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path

from mlflow_compose.engines.base import Engine
from mlflow_compose.errors import PortTakenError, SettingsError
from mlflow_compose.machine import own_addresses
from mlflow_compose.stack import PublishedPort, Service, Stack
from mlflow_compose.stack.site import LOOPBACK

MAX_PORT = 65535
# Setting in which each seat of a class has its port.
SEATS = "CLASS_SEATS"
# Environment variable of a local stack's processes: the folder of its rendered files.
STACK_FOLDER = "STACK_FOLDER"
# Seconds.
CONNECT_TIMEOUT = 0.5
# Errors of binding to an address that no interface has, or of a disabled address family.
NOT_LOCAL = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL})


def check_ports(engine: Engine) -> Mapping[str, PortTakenError]:
    """Make sure that the ports that the stack publishes are free, or its own.

    Returns:
        What is wrong with ports of independent services, by service: the others can start.

    Raises:
        SettingsError: The address that they bind to is not one of this machine.
        PortTakenError: Another process uses one; the message names it if possible. Also one behind
            the proxy, which would send that process the logins of the service's clients.
    """
    for address in sorted({port.address for _, port in engine.stack.ports}):
        _check_address(address)
    held = engine.held_ports()
    taken: dict[str, PortTakenError] = {}
    for service, error in _taken_ports(engine, held):
        if not service.is_independent:
            raise error
        taken.setdefault(service.name, error)
    _check_inner_ports(engine, held)
    return taken


def _taken_ports(engine: Engine, held: Collection[int]) -> Iterator[tuple[Service, PortTakenError]]:
    """Yield services whose published ports another process uses."""
    for service, port in engine.stack.ports:
        if port.published in held or not is_taken(port.address, port.published):
            continue
        message = f"{_in_use(engine, port.published)}, so {service.name} cannot use it"
        yield service, PortTakenError(message, service=service.name, hint=_hint(port, engine))


def _check_inner_ports(engine: Engine, held: Collection[int]) -> None:
    """Make sure that the ports are free on which servers listen behind the proxy."""
    for service in engine.stack.services:
        for port in service.inner_ports:
            if port in held or not is_taken(LOOPBACK, port):
                continue
            raise PortTakenError(
                f"{_in_use(engine, port)}, so {service.name} cannot use it behind the proxy",
                service=service.name,
                hint="set STACK_TLS_OFFSET in .env to another number, or stop what holds the port",
            )


def _in_use(engine: Engine, port: int) -> str:
    owner = holder_of(engine, port) or "another process"
    return f"port {port} is already in use by {owner}"


def holder_of(engine: Engine, port: int) -> str | None:
    """Describe what holds a port of this machine, with its stack if known."""
    return engine.owner_of(port) or _process_on(port)


def _check_address(address: str) -> None:
    if _bind(address, 0) in NOT_LOCAL:
        others = ", ".join(own_addresses())
        raise SettingsError(
            f"STACK_BIND_ADDRESS must be an address of this machine, got {address}",
            hint=f"set STACK_BIND_ADDRESS in .env to 127.0.0.1{others and f' or {others}'}",
        )


def is_taken(address: str, port: int) -> bool:
    """Tell whether a process listens on a port of this machine."""
    refused = _bind(address, port)
    if refused is not None:
        return refused == errno.EADDRINUSE
    # On macOS a bind to one address succeeds beside a listener on all of them.
    return sys.platform == "darwin" and _answers(address, port)


def _bind(address: str, port: int) -> int | None:
    """Return the errno of binding a port, None if that works."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: connections in TIME_WAIT do not keep a port taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.errno
    return None


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), CONNECT_TIMEOUT):
            return True
    except OSError:
        return False


def _process_on(port: int) -> str | None:
    """Describe the process that listens on a port, None if this user may not see it."""
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        if connection.laddr.port == port and connection.pid:
            return _process(connection.pid)
    return None


def _process(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        name, folder = f"{process.name()} (pid {pid})", process.environ().get(STACK_FOLDER)
    except psutil.Error:
        return None
    return f"{name} of the stack in {Path(folder).parent}" if folder else name


def other_ports(stack: Stack) -> dict[str, str]:
    """Return settings with free ports for a stack that is to run beside this one.

    Not for the seats of a class, which another stack does not have.
    """
    used = {port.published for _, port in stack.ports}
    found: dict[str, str] = {}
    for port in [port for _, port in stack.ports if port.variable != SEATS]:
        free = _free_port(port, used)
        used.add(free)
        found[port.variable] = _value(port, free)
    return found


def _value(port: PublishedPort, number: int) -> str:
    return f":{number}" if port.name == "console" else str(number)


def _hint(port: PublishedPort, engine: Engine) -> str:
    free = _free_port(port, {other.published for _, other in engine.stack.ports})
    if port.variable == SEATS:
        return f"give the seat another port in {SEATS}, such as {free}, or stop what holds the port"
    value = _value(port, free)
    airplay = sys.platform == "darwin" and port.published == 5000  # noqa: PLR2004 - AirPlay's
    reason = "macOS uses 5000 for AirPlay; " if airplay else ""
    return f"{reason}set {port.variable}={value} in .env, or stop what holds the port"


def _free_port(port: PublishedPort, used: Collection[int]) -> int:
    """Return the next port that is free and not used by another service of the stack."""
    above = range(port.published + 1, MAX_PORT + 1)
    below = range(port.published - 1, 1023, -1)
    for number in chain(above, below):
        if number not in used and not is_taken(port.address, number):
            return number
    return port.published
