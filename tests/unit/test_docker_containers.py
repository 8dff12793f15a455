"""Facts derived from Docker's container data."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from python_on_whales.components.container.models import PortBinding

from mlflow_compose.engines.docker.containers import _snapshot, publishes
from mlflow_compose.engines.docker.outdated import outdated
from tests.unit.samples import stack

BOUND = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]}


def container(status: str, ports: dict[str, Any]) -> Any:  # noqa: ANN401 - as of python-on-whales
    """Return a container configured to publish port 5000 that currently publishes `ports`."""
    wanted = PortBinding(HostIp="127.0.0.1", HostPort="5000")
    return SimpleNamespace(
        state=SimpleNamespace(status=status, health=None, exit_code=0),
        config=SimpleNamespace(labels={"com.docker.compose.service": "mlflow"}),
        network_settings=SimpleNamespace(ports=ports),
        host_config=SimpleNamespace(port_bindings={"5000/tcp": [wanted]}),
        restart_count=0,
        created=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("status", "ports", "held"),
    [
        ("running", BOUND, {5000}),
        # Between two starts it briefly has no ports.
        ("restarting", {}, {5000}),
        ("running", {}, {5000}),
        ("exited", {}, set()),
    ],
)
def test_a_restarting_container_must_hold_its_ports(
    status: str, ports: dict[str, Any], held: set[int]
) -> None:
    found = _snapshot(container(status, ports))
    assert found.held == held
    assert found.status.ports == (("127.0.0.1:5000",) if ports else ())


@pytest.mark.parametrize(
    ("status", "ports", "port", "found"),
    [
        ("running", BOUND, 5000, True),
        ("running", BOUND, 5001, False),
        # Between two starts, another program may take the port.
        ("restarting", {}, 5000, False),
    ],
)
def test_a_container_must_only_count_as_publishing_a_port_while_it_has_it(
    status: str, ports: dict[str, Any], port: int, *, found: bool
) -> None:
    calls: list[Any] = []

    def containers(**options: Any) -> list[Any]:  # noqa: ANN401 - as of python-on-whales
        calls.append(options)
        return [container(status, ports)]

    client: Any = SimpleNamespace(container=SimpleNamespace(list=containers))
    assert publishes(client, "lab", port) is found
    assert calls == [{"filters": [("label", "com.docker.compose.project=lab")]}]


def test_a_users_certificate_must_be_checked_in_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is mounted from there instead of being copied to the secrets."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    found = stack(PG_HOST="db.lab", PG_SSLMODE="verify-full", PG_SSLROOTCERT="ca.pem")
    secrets = tmp_path / "compose" / "secrets"
    secrets.mkdir(parents=True)
    for secret in found.service("mlflow").secrets:
        if not secret.file:
            (secrets / secret.name).touch()
    later = datetime.now(UTC) + timedelta(minutes=1)
    seen = replace(_snapshot(container("running", BOUND)), created=later)
    assert outdated(found, secrets, [seen]) == []
    after = later.timestamp() + 60
    os.utime(tmp_path / "ca.pem", (after, after))
    assert outdated(found, secrets, [seen]) == ["mlflow"]
