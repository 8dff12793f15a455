"""Make a service of the cluster reachable on this machine, with `kubectl port-forward`."""

import argparse
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import NoReturn

from mlflow_compose.engines.kubernetes.cluster import Cluster
from mlflow_compose.engines.kubernetes.contexts import current
from mlflow_compose.engines.process import end
from mlflow_compose.stack import PublishedPort
from mlflow_compose.stack.namespace import KUBECTL
from mlflow_compose.stack.site import EVERY_ADDRESS, LOOPBACK

LISTENS = b"Forwarding from"
PROGRAMS = frozenset({KUBECTL, f"{KUBECTL}.exe"})
# What kubectl calls a Service, and addresses that include this machine's own.
KINDS = frozenset({"service", "services", "svc"})
ADDRESSES = frozenset({LOOPBACK, "localhost", EVERY_ADDRESS})
# Otherwise kubectl waits a minute for a pod that runs.
RUNS_WITHIN = "--pod-running-timeout=10s"
# Seconds until a port that is being forwarded is, and between two attempts.
LISTENS_WITHIN, AGAIN_AFTER = 30.0, 0.5
# Requests until one is answered, and seconds for each. A server may be unable to answer, which its
# clients find out.
ATTEMPTS, ANSWERS_WITHIN = 5, 5.0


class Forward:
    """A port of a service that is reachable on this machine.

    kubectl forwards to one pod, and ends with it. It is then started again, until it reaches
    another pod.
    """

    def __init__(self, cluster: Cluster, service: str, published: int, target: int) -> None:
        """Set what is forwarded, and start.

        Args:
            cluster: Namespace of the stack.
            service: Name of the service.
            published: Port on this machine.
            target: Port of the service.
        """
        self.port = published
        self._environ = cluster.environment
        command = cluster.place.forward(service, published, target)
        self._command = [*command, f"--address={LOOPBACK}", RUNS_WITHIN]
        self._process: subprocess.Popen[bytes] | None = None
        # Set as long as it listens, once it listens or has failed for the first time, and when it
        # is no longer needed.
        self._listens, self._tried, self._ended = Event(), Event(), Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        self._tried.wait(LISTENS_WITHIN)
        # kubectl listens before it knows whether it reaches the pod, and drops what it cannot send.
        for _ in range(ATTEMPTS if self.listens else 0):
            if _answers(published):
                break
            self._ended.wait(AGAIN_AFTER)

    @property
    def listens(self) -> bool:
        """Whether the port is open now."""
        return self._listens.is_set()

    def close(self) -> None:
        """End it."""
        self._ended.set()
        if self._process:
            end(self._process)
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._forward()
            self._listens.clear()
            # Nothing runs that it could reach: the caller finds out why.
            if not self._tried.is_set():
                self._tried.set()
                return
            self._ended.wait(AGAIN_AFTER)

    def _forward(self) -> None:
        with subprocess.Popen(  # noqa: S603 - a list from this package
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            self._process = process
            if self._ended.is_set():
                end(process)
            for line in process.stdout or ():
                if line.startswith(LISTENS):
                    self._listens.set()
                    self._tried.set()


@contextmanager
def forwarded(cluster: Cluster, wanted: Sequence[tuple[str, int, int]]) -> Iterator[list[Forward]]:
    """Forward ports while the block runs: service, port on this machine, port of the service."""
    running: list[Forward] = []
    try:
        running.extend(Forward(cluster, *each) for each in wanted)
        yield running
    finally:
        for each in running:
            each.close()


def forwards(cluster: Cluster, service: str, port: PublishedPort) -> bool:
    """Tell whether a kubectl that the user started makes the port of a service reachable."""
    return any(
        is_forward(command, cluster, service, port) for command in _listening(port.published)
    )


def is_forward(command: Sequence[str], cluster: Cluster, service: str, port: PublishedPort) -> bool:
    """Tell whether a command makes the port of a service reachable on this machine.

    Anything else that listens there could be sent a login.
    """
    program, *words = command
    if re.split(r"[/\\]", program)[-1] not in PROGRAMS:
        return False
    try:
        found = _parser().parse_intermixed_args(words)
    except (ValueError, argparse.ArgumentError):
        return False
    kind, _, name = found.target.partition("/")
    return (
        (found.verb, found.namespace) == ("port-forward", cluster.place.name)
        and (kind in KINDS and name == service)
        and f"{port.published}:{port.target}" in found.ports
        and bool({*found.address.split(",")} & ADDRESSES)
        and (found.context or current(cluster.environment)) == cluster.place.context
    )


class _Parser(argparse.ArgumentParser):
    """A parser of kubectl's options that knows those that do not lead to another cluster."""

    def error(self, message: str) -> NoReturn:
        """Raise an error: without this, the program ends."""
        raise ValueError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--context", default="")
    parser.add_argument("-n", "--namespace", default="")
    parser.add_argument("--address", default=LOOPBACK)
    parser.add_argument("--pod-running-timeout")
    parser.add_argument("verb")
    parser.add_argument("target")
    parser.add_argument("ports", nargs="+")
    return parser


def _answers(port: int) -> bool:
    """Tell whether a web server answers on a port of this machine, whatever it answers."""
    try:
        with socket.create_connection((LOOPBACK, port), ANSWERS_WITHIN) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _listening(port: int) -> Iterator[Sequence[str]]:
    """Yield the command lines of this user's processes that listen on a port."""
    import psutil

    own = psutil.Process().username()
    with suppress(psutil.AccessDenied):
        for found in psutil.net_connections(kind="tcp"):
            is_it = found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port
            if is_it and found.pid:
                with suppress(psutil.Error):
                    process = psutil.Process(found.pid)
                    if process.username() == own:
                        yield process.cmdline() or [""]
