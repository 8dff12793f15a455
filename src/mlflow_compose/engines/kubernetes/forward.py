"""Make a service of the cluster reachable on this machine, with `kubectl port-forward`."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

from mlflow_compose.engines.kubernetes.cluster import KUBECTL, Cluster
from mlflow_compose.engines.process import end
from mlflow_compose.stack import Namespace
from mlflow_compose.stack.site import LOOPBACK

LISTENS = b"Forwarding from"
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


def forwards(place: Namespace, port: int) -> bool:
    """Tell whether a kubectl that the user started forwards a port to a stack."""
    return any(is_forward(command, place, port) for command in _listening(port))


def is_forward(command: Sequence[str], place: Namespace, port: int) -> bool:
    """Tell whether a command forwards a port of this machine to a stack."""
    words = [part for word in command for part in word.split("=", 1)]
    return (
        words[0].rsplit("/", 1)[-1].startswith(KUBECTL)
        and {"port-forward", place.context, place.name} <= {*words}
        and any(word.startswith(f"{port}:") for word in words)
    )


def _answers(port: int) -> bool:
    """Tell whether a web server answers on a port of this machine, whatever it answers."""
    try:
        with socket.create_connection((LOOPBACK, port), ANSWERS_WITHIN) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _listening(port: int) -> Iterator[Sequence[str]]:
    """Yield the command lines of processes that listen on a port, as far as this user sees them."""
    import psutil

    with suppress(psutil.AccessDenied):
        for found in psutil.net_connections(kind="tcp"):
            is_it = found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port
            if is_it and found.pid:
                with suppress(psutil.Error):
                    yield psutil.Process(found.pid).cmdline() or [""]
