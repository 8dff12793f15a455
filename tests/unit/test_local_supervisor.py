"""Whether supervisord is there, when it does not answer as it should."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.supervisor import Supervisor
from tests.unit.samples import IDENTITY


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in which somebody takes calls and hangs up."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "supervisor.sock"))
        server.listen()

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        yield tmp_path
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def test_one_that_hangs_up_must_count_as_running(busy: Path) -> None:
    """Else its servers would be ended as if nobody watched them."""
    assert Supervisor(Owner(IDENTITY, busy), "supervisor.sock").answers()


def test_a_socket_of_nobody_must_not_count_as_running(tmp_path: Path) -> None:
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "supervisor.sock"))
    assert (tmp_path / "supervisor.sock").exists()
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()
