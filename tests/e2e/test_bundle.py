"""One file with everything, carried to machines without any network."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from dotenv import dotenv_values

from mlflow_compose.engines import docker_problem
from mlflow_compose.settings import declared

from .docker_calls import DockerCalls
from .docker_stack import docker
from .handed_out import HandedOut
from .images import known_images
from .offline import offline_machine, python_of_others
from .running import WAIT_TIMEOUT
from .tool import SCRIPT, environment, tool
from .waiting import free_ports, wait_until

RUN = """
import mlflow

with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.25)
    mlflow.log_text("from a room without internet", "note.txt")
found = mlflow.MlflowClient().get_run(run.info.run_id)
assert found.data.metrics == {"loss": 0.25}
print(mlflow.artifacts.load_text(found.info.artifact_uri + "/note.txt"))
"""
UP = f"--wait-timeout={WAIT_TIMEOUT}"


@dataclass(frozen=True)
class Made:
    """A bundle.

    Attributes:
        path: The file.
        python: A Python that it is for.
        settings: Settings of the stack that it was made from.
        images: Names of its images that no other stack uses.
        printed: What `bundle` printed.
    """

    path: Path
    python: str
    settings: Mapping[str, str | None]
    images: tuple[str, ...]
    printed: str


def has_docker() -> bool:
    return docker_problem() is None


def renamed_images(name: str) -> dict[str, str]:
    """Give the base images names that no other stack uses; return the settings."""
    found = {}
    for setting in ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE"):
        found[setting] = f"{name}/{setting.lower()}:1"
        docker("image", "tag", known_images()[setting], found[setting])
    return found


def kill_once(folder: Path, condition: Callable[[], bool], *arguments: str) -> None:
    """Start the tool, and kill it with everything that it started once a condition is met."""
    with subprocess.Popen(
        [str(SCRIPT), *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_until(condition, seconds=120, what="the tool is in the middle of its work")
        os.killpg(process.pid, signal.SIGKILL)


def has_image(name: str) -> bool:
    return docker("image", "inspect", name, code=None).code == 0


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    """Return a bundle whose making was killed once, with images if Docker is there."""
    python, version = python_of_others()
    name, folder = f"e2e-{uuid.uuid4().hex[:8]}", Path(tempfile.mkdtemp(prefix="mlflow-compose-b-"))
    images = renamed_images(name) if has_docker() else {}
    names = {*images.values()}
    try:
        found = make_bundle(folder, name, images, version)
        names |= {*found.images}
        yield replace(found, python=python)
    finally:
        for image in names:
            docker("image", "rm", image, code=None)
        shutil.rmtree(folder)


def make_bundle(folder: Path, name: str, images: Mapping[str, str], version: str) -> Made:
    """Make a bundle in two attempts, of which the first is killed."""
    mlflow, s3, console, database = map(str, free_ports(4))
    settings = {
        "COMPOSE_PROJECT_NAME": name,
        "MLFLOW_PORT": mlflow,
        "MINIO_PORT": s3,
        "MINIO_CONSOLE_ADDRESS": f":{console}",
        "PG_PORT": database,
        "MLFLOW_WORKERS": "1",
        **images,
    }
    tool("init", *(f"--set={pair[0]}={pair[1]}" for pair in settings.items()), folder=folder)
    command = ("bundle", "class.tar", "--for-seats", f"--python={version}")
    # Each of these is costly to make again.
    first = "images/*.tar" if images else "wheels/*"
    parts = folder / "class.tar.parts"
    kill_once(folder, lambda: any(parts.glob(first)), *command)
    output = tool(*command, folder=folder)
    own = dotenv_values(folder / ".env", interpolate=False)
    found = [line.split()[1:] for line in output.out.splitlines() if line.startswith("images ")]
    built = [word.strip(",") for words in found for word in words]
    # Another user reads it.
    folder.chmod(0o755)
    return Made(folder / "class.tar", "", own, tuple(built), output.err)


def test_a_bundle_must_contain_no_secret(made: Made) -> None:
    content = made.path.read_bytes()
    secret = [name for name, info in declared() if "SecretStr" in str(info.annotation)]
    values = {made.settings.get(name) for name in secret} - {None, ""}
    assert len(values) >= 6
    for value in values:
        assert value
        assert value.encode() not in content
    # In the manifest, as a setting that is no secret.
    assert str(made.settings["MLFLOW_PORT"]).encode() in content


@pytest.mark.docker
def test_a_bundle_whose_making_was_killed_must_be_continued(made: Made) -> None:
    """The image that was saved before is not saved again."""
    assert made.printed.count("Saving ") == len(made.images) - 1
    assert [path.name for path in made.path.parent.glob("*.parts")] == []


def test_a_machine_without_a_network_must_get_a_proven_stack(made: Made) -> None:
    """With nothing but Python and the file, for the server and for a participant."""
    with offline_machine(made.python) as machine:
        assert machine.run("ip", "route").out == ""
        bundle, lab = str(made.path), machine.home / "lab"
        machine.run("tar", "-xf", bundle, "install.pyz")
        machine.run(machine.python, "install.pyz", bundle)
        machine.run("mkdir", "lab")
        program = str(machine.home / "mlflow-compose-tool" / "bin" / "mlflow-compose")
        machine.run(program, "load", bundle, "--engine", "local", folder=lab)
        machine.run(program, "up", "--no-verify", UP, folder=lab)
        machine.run(program, "verify", folder=lab)
        machine.run(machine.python, "install.pyz", bundle, "client")
        client = str(machine.home / "mlflow-client" / "bin" / "python")
        url = f"http://127.0.0.1:{made.settings['MLFLOW_PORT']}"
        logged = machine.run(client, "-c", RUN, MLFLOW_TRACKING_URI=url)
        logged.shows("from a room without internet")
        # One machine for the whole class: nothing that it needs is missing either.
        machine.run(program, "class", "create", "--seats=1", UP, folder=lab)
        machine.run(program, "class", "handout", folder=lab)
        variables = HandedOut(lab / "class" / "handouts" / "s01").variables
        assert variables["MLFLOW_TRACKING_URI"] != url
        logged = machine.run(client, "-c", RUN, folder=lab, code=0, **variables)
        logged.shows("from a room without internet")


@pytest.mark.docker
def test_docker_must_start_a_stack_from_loaded_images(made: Made, tmp_path: Path) -> None:
    """Without pulling or building, also after a load that was killed."""
    for image in made.images:
        docker("image", "rm", image)
    load = ("load", str(made.path), "--engine", "docker")
    seat, other = tmp_path / "seat", tmp_path / "other"
    for folder in (seat, other):
        folder.mkdir()
    kill_once(seat, lambda: any(map(has_image, made.images)), *load)
    assert not (seat / ".env").exists()
    tool(*load, folder=seat)
    assert all(map(has_image, made.images))
    assert "images" not in tool(*load, folder=other).out
    names = [dotenv_values(folder / ".env")["COMPOSE_PROJECT_NAME"] for folder in (seat, other)]
    assert len({*names, made.settings["COMPOSE_PROJECT_NAME"]}) == 3
    calls = DockerCalls(tmp_path / "docker")
    try:
        tool("up", "--no-verify", UP, folder=seat, env=environment(PATH=calls.path))
        assert not [line for line in calls.lines if {"pull", "build"} & {*line.split()}]
    finally:
        tool("down", "--volumes", "--yes", folder=seat)
    left = docker("image", "ls", "--quiet", "mlflow-compose-bundle")
    assert left.out == ""
