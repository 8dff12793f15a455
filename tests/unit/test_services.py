"""A kind may have several services, each with a port, a volume, a secret and an image."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlflow_compose.actions.down import what_is_lost
from mlflow_compose.checks.causes import causes, diagnose
from mlflow_compose.checks.probe.main import CHECKS
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker import engine as docker
from mlflow_compose.engines.docker import images
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import render
from mlflow_compose.stack import Cause, Service, Stack, known_volumes, services
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import Build, SecretFile, Volume, unprivileged
from mlflow_compose.stack.stores import Stores
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.samples import local_stack, stack

SEATS = {"seat-ada": 8101, "seat-ben": 8102}


def in_container(around: Surroundings, name: str) -> Service:
    """Return a seat in a container."""
    return unprivileged(seat(around, name, 8000, "/data"))


def on_machine(around: Surroundings, name: str) -> Service:
    """Return a seat without a container."""
    return seat(around, name, SEATS[name], f"data/{name}_data")


def seat(around: Surroundings, name: str, port: int, folder: str) -> Service:
    secret = SecretFile(f"{name}_key", f"the key of {name}", f"Key of {name}.")
    published = PublishedPort(name, "SEAT_PORT", "127.0.0.1", SEATS[name], port, name, "https")
    return Service(
        name=name,
        about="A participant's seat.",
        image=f"{around.image}-{name}",
        restart="always",
        build=Build(f"./{name}", "python:3", "", (), contents=f"what {name} needs"),
        command=("python", "-m", "http.server", str(port)),
        environment={"KEY_FILE": around.site.secret(secret.name)},
        secrets=(secret,),
        volumes=(Volume(f"{name}_data", folder, holds="notebooks"),),
        ports=(published,),
        healthcheck=Healthcheck(("true",)),
    )


def seats(_: Surroundings) -> tuple[str, ...]:
    return tuple(SEATS)


def seat_causes(_: Stores) -> dict[str, Cause]:
    return {"seat_down": Cause("a seat does not answer", "see its logs in .env", "seat-ada")}


SEAT = Kind(seats, in_container, on_machine, volumes=frozenset({"seat-*_data"}), causes=seat_causes)


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "KINDS", (*services.KINDS, SEAT))


@pytest.mark.parametrize("make", [stack, local_stack])
def test_services_of_a_kind_must_share_nothing(make: Any) -> None:  # noqa: ANN401 - a function
    found: Stack = make()
    both = [found.service(name) for name in SEATS]
    assert {"seat-ada_data", "seat-ben_data"} <= {*found.data_volumes}
    assert {"seat-ada_key", "seat-ben_key"} <= {secret.name for secret in found.secrets}
    assert len({service.volumes for service in both}) == 2
    assert {**found.urls, **{name: f"https://127.0.0.1:{p}" for name, p in SEATS.items()}} == (
        found.urls
    )
    assert [service.name for service in found.built] == ["mlflow", *SEATS]
    assert set(SEATS) <= set(found.service("mlflow").environment["NO_PROXY"].split(","))


def test_services_of_a_kind_must_be_rendered_for_compose() -> None:
    text = render(stack()).files["docker-compose.yaml"].text
    for name, port in SEATS.items():
        (own,) = re.findall(rf"^  {name}:\n(.*?)^    logging", text, re.DOTALL | re.MULTILINE)
        assert f"source: {name}_data\n" in own
        assert f"127.0.0.1:{port}:8000" in own
        assert f"- {name}_key\n" in own
        assert f"context: ./{name}\n" in own
        assert f"\n  {name}_data:\n    labels" in text
        assert f"\n  {name}_key:\n    file: ./secrets/{name}_key\n" in text


def test_services_of_a_kind_must_be_rendered_without_containers() -> None:
    rendered = render(local_stack())
    for name, port in SEATS.items():
        script = rendered.files[f"{name}/run.sh"].text
        assert f"mkdir -p data/{name}_data" in script
        assert f"http.server {port}" in script
        assert f"secrets/{name}_key" in script
        assert rendered.secrets[f"{name}_key"].text == f"the key of {name}"


def test_volumes_of_a_removed_service_must_be_known() -> None:
    known = known_volumes()
    assert all(name in known for name in ("postgres_data", "mlflow_tmp", "seat-cleo_data"))
    assert not any(name in known for name in ("seats", "grafana_data", "postgres_data_2"))


def test_data_of_a_service_must_be_listed_before_it_is_deleted() -> None:
    question = what_is_lost(FakeEngine(stack()))
    assert question == "Delete all runs, artifacts and notebooks of the stack mlflow?"


def test_a_cause_of_a_kind_must_be_known_with_the_service_that_explains_it() -> None:
    assert causes(stack())["seat_down"].sentence == "a seat does not answer"
    ended = ServiceStatus("seat-ada", "exited", exit_code=1)
    works = {"cause": "", "detail": "works", "seconds": 0.1}
    refused = {"cause": "seat_down", "detail": "refused", "seconds": 0.1}
    links = {**dict.fromkeys(CHECKS, works), "network": refused}
    found = diagnose(FakeEngine(stack(), (*ALL_WELL, ended), outcome=answered(links)))
    assert found is not None
    assert found.sentence == "a seat does not answer: seat-ada ended with exit code 1"


def test_a_shared_image_must_be_built_once() -> None:
    found = stack()
    twin = replace(found.service("seat-ben"), image=found.service("seat-ada").image)
    shared = replace(found, services=(*found.services[:-1], twin))
    assert [service.name for service in shared.built] == ["mlflow", "seat-ada"]


def test_every_missing_image_must_be_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built: list[str] = []
    found = stack()
    here = {service.image for service in found.services} - {
        found.service(name).image for name in SEATS
    }
    client = SimpleNamespace(image=SimpleNamespace(exists=here.__contains__))
    monkeypatch.setattr(docker, "open_client", lambda *_: client)
    monkeypatch.setattr(images, "complete", lambda *_: False)
    monkeypatch.setattr(images, "missing", lambda *_: {})
    monkeypatch.setattr(images, "build", lambda _, __, one, ___: built.append(one.name))
    docker.DockerEngine(found, StackPaths(tmp_path / ".env")).prepare(FakeScreen())
    assert built == [*SEATS]
