"""Detecting a supervisord that does not answer properly."""

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
    """Return a folder with a socket whose server accepts connections and closes them."""
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


def test_a_supervisord_that_hangs_up_must_count_as_running(busy: Path) -> None:
    """Otherwise its servers would be killed as orphans."""
    assert Supervisor(Owner(IDENTITY, busy), "supervisor.sock").answers()


def test_a_socket_without_a_server_must_not_count_as_running(tmp_path: Path) -> None:
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "supervisor.sock"))
    assert (tmp_path / "supervisor.sock").exists()
    assert not Supervisor(Owner(IDENTITY, tmp_path), "supervisor.sock").answers()
