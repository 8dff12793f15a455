"""Containers of the project that no service has any more: the stack's are removed, others stay."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlflow_compose.engines.docker import engine as module
from mlflow_compose.engines.docker import inspect
from mlflow_compose.engines.docker.engine import DockerEngine
from mlflow_compose.engines.docker.orphans import Member, orphans
from mlflow_compose.paths import COMPOSE_FILE, StackPaths
from tests.unit.fakes import FakeScreen
from tests.unit.samples import IDENTITY, stack

SERVICES = {"mlflow", "s3"}
OWN = Member("lab-postgres-1", IDENTITY, "postgres")
EXTRA = Member("lab-extra-1", "", "extra")
RUN = Member("lab-mlflow-run-1", IDENTITY, "mlflow", one_off=True)


def container(member: Member) -> dict[str, Any]:
    """Return what Docker prints about a container."""
    labels = {
        "com.docker.compose.project.working_dir": "/home/ada/compose",
        "com.docker.compose.service": member.service,
        "com.docker.compose.oneoff": str(member.one_off),
        "mlflow-compose.stack": member.identity,
    }
    return {
        "Name": f"/{member.name}",
        "Config": {"Labels": labels},
        "State": {"Status": "exited" if member.ended else "running", "ExitCode": 0},
        "HostConfig": {"AutoRemove": member.removes_itself, "PortBindings": {}},
        "NetworkSettings": {"Ports": {}},
        "Image": "sha256:1",
        "RestartCount": 0,
        "Created": "2026-11-28T10:00:00Z",
    }


@pytest.fixture(autouse=True)
def _inspect(monkeypatch: pytest.MonkeyPatch) -> None:
    def inspected(client: Docker, *_: object) -> list[dict[str, Any]]:
        return [container(member) for member in client.members]

    monkeypatch.setattr(inspect, "containers", inspected)
    monkeypatch.setattr(inspect, "volumes", lambda *_: {})


class Docker:
    """A client that only remembers which containers it removed, and what Compose did."""

    def __init__(self, *members: Member, override: Sequence[str] = ()) -> None:
        self.members = members
        self.removed: list[str] = []
        self.compose_calls: dict[str, Any] = {}
        self.container = SimpleNamespace(
            stop=lambda _: None,
            remove=lambda name, force: self.removed.append(name),  # noqa: ARG005 - as Docker's
        )
        self.compose = SimpleNamespace(
            config=lambda **_: {"services": dict.fromkeys([*SERVICES, *override])},
            up=lambda _, **options: self._called("up", options),
            down=lambda **options: self._called("down", options),
            rm=lambda **options: self._called("rm", options),
        )
        self.volume = SimpleNamespace(remove=lambda _: None)

    def _called(self, command: str, options: dict[str, Any]) -> Iterator[Any]:
        self.compose_calls[command] = options
        return iter(())


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    found = StackPaths(tmp_path / ".env")
    found.compose.mkdir()
    (found.compose / COMPOSE_FILE).touch()
    return found


def engine(docker: Docker, paths: StackPaths, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    monkeypatch.setattr(module, "open_client", lambda *_: docker)
    return DockerEngine(stack(BACKEND_STORE="sqlite"), paths)


def test_a_start_must_remove_only_containers_of_the_stack(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres after a change to SQLite, but not what the user added with another Compose file."""
    docker, screen = Docker(OWN, EXTRA), FakeScreen()
    engine(docker, paths, monkeypatch).start(screen, wait_timeout=1)
    assert docker.removed == ["lab-postgres-1"]
    assert "remove_orphans" not in docker.compose_calls["up"]
    assert any("lab-extra-1 is not part of this stack" in line for line in screen.shown)


def test_a_service_of_the_override_file_must_not_be_reported(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker, screen = Docker(EXTRA, override=["extra"]), FakeScreen()
    engine(docker, paths, monkeypatch).start(screen, wait_timeout=1)
    assert docker.removed == []
    assert not any(line.startswith("note:") for line in screen.shown)


@pytest.mark.parametrize("volumes", [False, True])
def test_a_stop_must_remove_only_containers_of_the_stack(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch, *, volumes: bool
) -> None:
    docker, screen = Docker(OWN, EXTRA, RUN), FakeScreen()
    engine(docker, paths, monkeypatch).stop(screen, volumes=volumes)
    assert docker.removed == ["lab-mlflow-run-1", "lab-postgres-1"]
    assert docker.compose_calls["down"] == {"quiet": True}
    assert any("lab-extra-1 is not part of this stack" in line for line in screen.shown)


@pytest.mark.parametrize(("others", "called"), [((), {"down"}), ((EXTRA,), set())])
def test_without_files_others_containers_must_stay(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch, others: tuple[Member, ...], called: set[str]
) -> None:
    """Compose would remove every container of the project."""
    (paths.compose / COMPOSE_FILE).unlink()
    docker = Docker(Member("lab-s3-1", IDENTITY, "s3"), *others)
    engine(docker, paths, monkeypatch).stop(FakeScreen(), volumes=False)
    assert docker.removed == ["lab-s3-1"]
    assert docker.compose_calls.keys() == called


@pytest.mark.parametrize(
    ("member", "starting", "stopping"),
    [
        (Member("a", IDENTITY, "s3"), False, False),
        (OWN, True, True),
        (EXTRA, True, True),
        # A command that a user still runs.
        (RUN, False, True),
        (Member("a", IDENTITY, "s3", one_off=True, ended=True), True, True),
    ],
)
def test_an_orphan_must_be_one_as_compose_decides_it(
    member: Member, *, starting: bool, stopping: bool
) -> None:
    assert bool(orphans([member], SERVICES, stopping=False)) is starting
    assert bool(orphans([member], SERVICES, stopping=True)) is stopping


def test_a_container_that_removes_itself_must_only_be_stopped(
    paths: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = Docker(Member("lab-run-1", IDENTITY, "s3", one_off=True, removes_itself=True))
    engine(docker, paths, monkeypatch).stop(FakeScreen(), volumes=False)
    assert docker.removed == []
