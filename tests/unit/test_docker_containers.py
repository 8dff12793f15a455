"""Facts derived from Docker's container data."""

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from python_on_whales import DockerClient

from mlflow_compose.engines.docker.containers import (
    _snapshot,
    held_ports,
    of_project,
    publishes,
    snapshots,
    volumes_of,
)
from mlflow_compose.engines.docker.outdated import outdated
from mlflow_compose.engines.docker.view import VALID_FOR, View
from mlflow_compose.stack import known_volumes
from tests.unit.samples import stack

STARTED = "2026-11-28T11:00:00.123456789Z"
BOUND = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]}


def container(status: str, ports: dict[str, Any]) -> dict[str, Any]:
    """Return a container configured to publish port 5000 that currently publishes `ports`."""
    return {
        "Id": "0123",
        "Name": "/lab-mlflow-1",
        "State": {"Status": status, "ExitCode": 0, "StartedAt": STARTED},
        "Config": {"Labels": {"com.docker.compose.service": "mlflow"}},
        "NetworkSettings": {"Ports": ports},
        "HostConfig": {"PortBindings": {"5000/tcp": [{"HostIp": "", "HostPort": "5000"}]}},
        "Image": "sha256:1",
        "RestartCount": 0,
        # With nanoseconds, as Docker prints it.
        "Created": "2026-11-28T10:00:00.123456789Z",
    }


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


def labelled(service: str, identity: str) -> dict[str, Any]:
    found = container("running", BOUND)
    found["Config"] = {
        "Labels": {"com.docker.compose.service": service, "mlflow-compose.stack": identity}
    }
    return found


def test_a_stack_must_hold_the_ports_of_its_former_services_and_of_no_others() -> None:
    """A start removes them first: the proxy, if it is no longer needed."""
    services, identity = {"mlflow"}, "0123456789abcdef"
    assert held_ports([labelled("proxy", identity)], services, identity) == {5000}
    assert held_ports([labelled("proxy", "")], services, identity) == frozenset()
    assert held_ports([labelled("proxy", "f" * 16)], services, identity) == frozenset()


@pytest.mark.parametrize("state", ["running", "restarting", "exited", "created"])
def test_only_a_container_that_runs_must_have_a_start_time(state: str) -> None:
    """Docker keeps the last one, and has one of the year 1 for a container that never ran."""
    found = _snapshot({**container(state, {}), "RestartCount": 3}).status
    running = datetime(2026, 11, 28, 11, 0, 0, 123456, tzinfo=UTC)
    assert found.since == (running if state == "running" else None)
    assert found.restarts == 3


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
    status: str, ports: dict[str, Any], port: int, tmp_path: Path, *, found: bool
) -> None:
    client = docker(tmp_path, {"0123": container(status, ports)})
    assert publishes(of_project(client, "lab"), port) is found
    listing, _ = calls(tmp_path)
    assert "--filter label=com.docker.compose.project=lab" in listing


def test_all_containers_must_be_inspected_by_one_command(tmp_path: Path) -> None:
    client = docker(tmp_path, {name: container("running", BOUND) for name in ("1", "2", "3")})
    assert len(snapshots(of_project(client, "lab"), ["mlflow"])) == 3
    assert [call.split()[:2] for call in calls(tmp_path)] == [
        ["container", "list"],
        ["container", "inspect"],
    ]


def test_a_container_that_is_removed_while_it_is_inspected_must_not_matter(tmp_path: Path) -> None:
    client = docker(tmp_path, {"1": container("running", BOUND)}, removed=True)
    assert len(snapshots(of_project(client, "lab"), ["mlflow"])) == 1
    assert len(calls(tmp_path)) == 4


def test_volumes_must_be_listed_with_their_ids_by_one_command(tmp_path: Path) -> None:
    client = docker(tmp_path, {})
    list_volumes(
        tmp_path,
        {"lab_postgres_data": "0123", "lab_minio_data": "", "my_lab_postgres_data": "0456"},
    )
    found = volumes_of(client, "lab", known_volumes())
    assert found == {"postgres_data": "0123", "minio_data": ""}
    (call,) = calls(tmp_path)
    assert call.endswith('--format [{{json .Name}},{{json (.Label "mlflow-compose.stack")}}]')


@pytest.mark.parametrize("end", ["\n", "\r", "\t", "\u2028", '"]\n["'])
def test_a_label_must_not_forge_the_id_of_another_volume(tmp_path: Path, end: str) -> None:
    """`down --volumes` deletes the volumes that have the stack's id."""
    client = docker(tmp_path, {})
    forged = f"x{end}lab_postgres_data\t0123{end}"
    list_volumes(tmp_path, {"lab_postgres_data": "", "lab_minio_data": forged})
    found = volumes_of(client, "lab", known_volumes())
    assert found == {"postgres_data": "", "minio_data": forged}


def list_volumes(folder: Path, labels: dict[str, str]) -> None:
    """Let the docker command below list volumes with labels."""
    lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in labels.items()]
    (folder / "volumes").write_text("".join(lines), encoding="utf-8")


def test_a_look_must_only_answer_the_questions_that_follow_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = docker(tmp_path, {"0123": container("running", BOUND)})
    (tmp_path / "volumes").touch()
    view = View(stack(), lambda: client)
    view.keep(view.look())
    asked = len(calls(tmp_path))
    assert len(view.containers()) == 1
    assert view.volumes() == {}
    assert len(calls(tmp_path)) == asked
    view.containers()
    view.volumes()
    assert len(calls(tmp_path)) == asked + 3
    view.keep(view.look())
    asked = len(calls(tmp_path))
    later = time.monotonic() + VALID_FOR
    monkeypatch.setattr(time, "monotonic", lambda: later)
    view.containers()
    assert len(calls(tmp_path)) == asked + 2


def test_a_look_must_be_as_old_as_its_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = docker(tmp_path, {"0123": container("running", BOUND)})
    (tmp_path / "volumes").touch()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def slow() -> DockerClient:
        nonlocal now
        now += VALID_FOR
        return client

    view = View(stack(), slow)
    view.keep(view.look())
    asked = len(calls(tmp_path))
    view.containers()
    assert len(calls(tmp_path)) == asked + 2


DOCKER = """\
#!/bin/sh
cd "$(dirname "$0")" || exit
echo "$*" >>calls
case "$*" in
"volume list"*) cat volumes ;;
"container list"*) cat listed && cp remaining listed ;;
*gone*) echo "Error: No such container: gone" >&2 && exit 1 ;;
*) cat inspected ;;
esac
"""


def docker(folder: Path, containers: dict[str, Any], *, removed: bool = False) -> DockerClient:
    """Return a client of a docker command that knows these containers.

    Args:
        folder: Folder of the command.
        containers: What it prints about each, by id.
        removed: Whether one more is listed first, which is removed before it is inspected.
    """
    script = folder / "docker"
    script.write_text(DOCKER)
    script.chmod(0o755)
    remaining = "".join(f"{name}\n" for name in containers)
    (folder / "remaining").write_text(remaining)
    (folder / "listed").write_text(remaining + ("gone\n" if removed else ""))
    (folder / "inspected").write_text(json.dumps([*containers.values()]))
    return DockerClient(client_call=[str(script)])


def calls(folder: Path) -> list[str]:
    """Return the commands that were run so far."""
    return (folder / "calls").read_text().splitlines()


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
