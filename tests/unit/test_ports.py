"""A taken port is reported before anything starts, with its owner and a solution."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from mlflow_compose.engines import check_ports
from mlflow_compose.engines.ports import is_taken
from mlflow_compose.errors import PortTakenError, SettingsError
from tests.unit.fakes import FakeEngine
from tests.unit.samples import ANY_ADDRESS, settings, stack

MakeEngine = Callable[..., FakeEngine]


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> Iterator[list[int]]:
    """Return free ports that are reserved meanwhile."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(2)]
        for found in sockets:
            # Bound but not listening; other sockets with this option may bind it too.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(("127.0.0.1", 0))
        yield [found.getsockname()[1] for found in sockets]


def without_ports(**values: str) -> FakeEngine:
    """Return an engine that holds none of its stack's ports."""
    return FakeEngine(stack(**values), held=frozenset())


@pytest.fixture
def engine(free: list[int]) -> MakeEngine:
    """Return a function that creates an engine whose stack has free ports except the given ones."""

    def make(**values: str) -> FakeEngine:
        ports = {"MLFLOW_PORT": str(free[0]), "MINIO_PORT": str(free[1])}
        return without_ports(**{"MINIO_CONSOLE_ADDRESS": "", **ports, **values})

    return make


def refusal(found: FakeEngine) -> PortTakenError:
    with pytest.raises(PortTakenError) as caught:
        check_ports(found)
    return caught.value


def test_free_ports_must_be_accepted(engine: MakeEngine) -> None:
    check_ports(engine())


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1"])
def test_an_address_of_another_machine_must_be_reported(engine: MakeEngine, address: str) -> None:
    """In the networks reserved for documentation, which no machine has."""
    found = engine(STACK_BIND_ADDRESS=address, MLFLOW_AUTH="basic")
    # It does not help that the stack is running on its former address.
    found.held = frozenset(port.published for _, port in found.stack.ports)
    with pytest.raises(SettingsError) as caught:
        check_ports(found)
    rule = "STACK_BIND_ADDRESS must be an address of this machine"
    assert caught.value.message == f"{rule}, got {address}"
    assert "set STACK_BIND_ADDRESS in .env to 127.0.0.1" in (caught.value.hint or "")


@pytest.mark.parametrize("address", ["127.0.0.1", ANY_ADDRESS])
def test_an_address_of_this_machine_must_be_accepted(engine: MakeEngine, address: str) -> None:
    check_ports(engine(STACK_BIND_ADDRESS=address, MLFLOW_AUTH="basic"))


@pytest.mark.parametrize(
    ("values", "service"),
    [
        ({"MLFLOW_PORT": "{}"}, "mlflow"),
        ({"MINIO_PORT": "{}"}, "s3"),
        ({"MINIO_CONSOLE_ADDRESS": ":{}"}, "s3"),
        ({"PG_PORT": "{}", "PG_PUBLISH": "true"}, "postgres"),
    ],
)
def test_the_process_on_a_port_must_be_named(
    engine: MakeEngine, taken: int, values: dict[str, str], service: str
) -> None:
    error = refusal(engine(**{name: value.format(taken) for name, value in values.items()}))
    process = f"{psutil.Process().name()} (pid {os.getpid()})"
    assert (
        error.message == f"port {taken} is already in use by {process}, so {service} cannot use it"
    )
    assert error.hint is not None
    assert f"set {next(iter(values))}=" in error.hint


def test_a_listener_on_all_addresses_must_be_detected(engine: MakeEngine) -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        assert is_taken("127.0.0.1", port)
        assert refusal(engine(MLFLOW_PORT=str(port)))


def test_the_container_on_a_port_must_be_named(engine: MakeEngine, taken: int) -> None:
    found = engine(MLFLOW_PORT=str(taken))
    found.owners = {taken: "the container other-mlflow-1 of the stack other"}
    assert (
        "is already in use by the container other-mlflow-1 of the stack other,"
        in refusal(found).message
    )


def test_a_listener_that_cannot_be_identified_must_still_be_detected(
    engine: MakeEngine, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(kind: str) -> None:
        raise psutil.AccessDenied(msg=kind)

    monkeypatch.setattr(psutil, "net_connections", refuse)
    assert (
        "is already in use by another process," in refusal(engine(MLFLOW_PORT=str(taken))).message
    )


def test_the_stacks_own_ports_must_not_count_as_taken(engine: MakeEngine, taken: int) -> None:
    found = engine(MLFLOW_PORT=str(taken))
    found.held = frozenset({taken})
    check_ports(found)


def test_a_port_that_just_became_free_must_count_as_free(free: list[int]) -> None:
    """Connections closed a moment ago do not prevent a server from starting."""
    with socket.create_server(("127.0.0.1", free[0])) as server:
        client = socket.create_connection(("127.0.0.1", free[0]))
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    assert not is_taken("127.0.0.1", free[0])


def test_a_port_taken_on_ipv6_must_be_detected() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert is_taken("::1", server.getsockname()[1])


def test_the_hint_must_name_a_port_that_the_stack_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """MinIO's 9000 is followed by its console's 9001."""
    monkeypatch.setattr(
        "mlflow_compose.engines.ports.is_taken", lambda _, port: port in {9000, 9002}
    )
    hint = refusal(without_ports()).hint or ""
    named = re.search(r"MINIO_PORT=(\d+)", hint)
    assert named is not None
    assert named[1] == "9003"
    assert settings(MINIO_PORT=named[1])


def test_the_hint_must_name_a_port_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlflow_compose.engines.ports.is_taken", lambda _, port: port == 65535)
    hint = refusal(without_ports(MLFLOW_PORT="65535")).hint or ""
    assert "MLFLOW_PORT=65534" in hint


def test_the_hint_must_spell_the_consoles_address_as_minio_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mlflow_compose.engines.ports.is_taken", lambda _, port: port == 9001)
    hint = refusal(without_ports()).hint or ""
    assert "MINIO_CONSOLE_ADDRESS=:9002" in hint


def test_airplay_must_be_named_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlflow_compose.engines.ports.is_taken", lambda _, port: port == 5000)
    assert "AirPlay" not in (refusal(without_ports()).hint or "")
    monkeypatch.setattr("sys.platform", "darwin")
    assert "macOS uses 5000 for AirPlay; set MLFLOW_PORT=5001" in (
        refusal(without_ports()).hint or ""
    )
