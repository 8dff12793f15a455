"""Several tracking servers: what is in front of them, and how their containers are told apart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.actions import load_plan, read_settings
from mlflow_compose.actions.notes import notes
from mlflow_compose.actions.screen import missing_replicas
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker.containers import snapshots
from mlflow_compose.engines.verdict import Verdict, failure, find_culprit, restarts
from mlflow_compose.errors import SettingsError
from mlflow_compose.paths import templates
from mlflow_compose.targets import COMPOSE, HELM, LOCAL
from tests.unit.samples import built, env_text, settings, stack
from tests.unit.test_docker_containers import BOUND, container

SCRIPTS = templates() / "compose" / "mlflow"
# Chooses its folder, reports it, and lives until it is told to end.
CHOOSE = (
    "import os, sys, own_folder; own_folder.choose(); print(os.environ['TMPDIR'], flush=True); "
)
WAIT = "sys.stdin.read()"
# Stands for a file system without locks.
NO_LOCKS = """
import errno, fcntl

def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")

fcntl.flock = flock
"""


def test_the_proxy_must_publish_the_port_of_several_servers_and_no_other_one() -> None:
    found = stack(MLFLOW_REPLICAS="3", JUPYTER="true")
    published = {service.name: port.text for service, port in found.ports}
    assert published["proxy"] == "127.0.0.1:5000:8080"
    assert published["jupyter"] == "127.0.0.1:8888:8888"
    assert "mlflow" not in published
    assert found.urls["mlflow"] == "http://127.0.0.1:5000"
    (route,) = found.routes
    assert (route.service, route.upstream, route.has_several) == ("mlflow", "mlflow:5000", True)
    assert found.service("mlflow").replicas == 3
    assert not found.service("proxy").secrets


def test_the_proxy_must_encrypt_and_distribute_if_both_are_wanted() -> None:
    found = stack(MLFLOW_REPLICAS="2", STACK_TLS="internal", JUPYTER="true")
    assert found.urls["mlflow"] == "https://127.0.0.1:5000"
    several = {route.service: route.has_several for route in found.routes}
    assert several == {"mlflow": True, "jupyter": False}
    assert all(listener.certificate for listener in found.listeners)


def test_a_cluster_must_distribute_connections_itself() -> None:
    found = built(settings(MLFLOW_REPLICAS="3"), HELM)
    assert not found.has("proxy")
    assert found.service("mlflow").replicas == 3


def test_without_docker_the_number_of_servers_must_be_reported_as_ignored() -> None:
    assert LOCAL.ignored(settings(MLFLOW_REPLICAS="3")) == ("MLFLOW_REPLICAS",)
    assert COMPOSE.ignored(settings(MLFLOW_REPLICAS="3")) == ()


def test_containers_of_one_service_must_be_told_apart() -> None:
    label = "com.docker.compose.container-number"
    containers = [container("running", BOUND) for _ in range(2)]
    for number, each in enumerate(containers, start=1):
        each["Config"]["Labels"][label] = str(number)
    found = [one.status.label for one in snapshots(containers, ["mlflow"])]
    assert found == ["mlflow-1", "mlflow-2"]
    (alone,) = snapshots(containers[:1], ["mlflow"])
    assert alone.status.label == "mlflow"


def test_a_ready_made_image_must_not_be_shared_by_servers_with_one_folder() -> None:
    """One that was built earlier empties the folder in which another server receives uploads."""
    image = {"MLFLOW_REPLICAS": "2", "MLFLOW_IMAGE": "registry.lab/mlflow:1"}
    with pytest.raises(SettingsError, match="must be 1 when MLFLOW_IMAGE is set"):
        settings(**image)
    assert settings(**image, STACK_ENGINE="kubernetes").mlflow_replicas == 2


def test_a_server_that_is_missing_must_be_reported() -> None:
    several = stack(MLFLOW_REPLICAS="2")
    assert missing_replicas(several, (server(1), server(2))) == []
    (line,) = missing_replicas(several, (server(1), replace(server(2), state="exited")))
    assert line.startswith("1 of 2 containers of mlflow are running")
    assert missing_replicas(several, (server(1),)) == [line]


def server(number: int, restarted: int = 0, *, several: bool = True) -> ServiceStatus:
    return ServiceStatus(
        *("mlflow", "running", "healthy"),
        restarts=restarted,
        number=number,
        has_several=several,
    )


def test_earlier_restarts_of_one_container_must_not_count_for_another_one() -> None:
    before = (server(1, restarted=3), server(2))
    assert restarts(before, (server(1, restarted=3), server(2))) == {"mlflow-1": 0, "mlflow-2": 0}
    assert restarts(before, (server(1, restarted=3, several=False),)) == {"mlflow-1": 0}
    again = (server(1, restarted=3), server(2, restarted=2))
    culprit = find_culprit(stack(MLFLOW_REPLICAS="2"), before, again)
    assert culprit is not None
    error = failure(Verdict(failed=True), culprit, [], 60)
    assert error.message.startswith("mlflow-2 keeps restarting")
    assert error.service == "mlflow"


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Return the folder that the entry point makes for servers."""
    folder = tmp_path / "mlflow-uploads-1"
    folder.mkdir()
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return variables of a process whose TMPDIR is `folder`.

    If it cannot be used, Python chooses TEMP: without it, a test that fails could empty /tmp.
    """
    other = folder.parent / "other"
    other.mkdir(exist_ok=True)
    (other / "photos").touch()
    variables = {"TMPDIR": str(folder), "TEMP": str(other), "PYTHONPATH": str(SCRIPTS)}
    return {**os.environ, **variables}


@contextmanager
def running(folder: Path, before: str = "") -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Run a process that has chosen a folder below `folder`; yield it with its folder."""
    environ = environment(folder)
    with subprocess.Popen(
        (sys.executable, "-c", before + CHOOSE + WAIT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def refusal(folder: Path) -> str:
    """Return why a process does not choose a folder below `folder`, its own being TMPDIR."""
    environ = environment(folder)
    done = subprocess.run(
        (sys.executable, "-c", CHOOSE), env=environ, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    return done.stderr.strip()


def test_a_starting_server_must_only_delete_uploads_of_servers_that_have_ended(
    uploads: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    with running(uploads) as (killed, first), running(uploads) as (_, second):
        for folder in (first, second):
            (folder / "upload").write_text("partial")
        killed.kill()
        killed.wait()
        (uploads / "of an older version").mkdir()
        (uploads / "link").symlink_to(elsewhere)
        with running(uploads) as (_, third):
            assert {each for each in uploads.iterdir() if each.is_dir()} == {second, third}
            assert (second / "upload").exists()
            assert (elsewhere / "file").exists()
            assert third.stat().st_mode & 0o777 == 0o700


def test_what_a_linked_folder_leads_to_must_not_be_deleted(tmp_path: Path) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "mlflow-uploads-1"
    (elsewhere / "photos").mkdir(parents=True)
    link.symlink_to(elsewhere)
    with running(link) as (_, folder):
        assert folder.parent == link
        assert (elsewhere / "photos").exists()


def test_a_folder_that_is_not_the_servers_own_must_not_be_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    (folder / "photos").mkdir(parents=True)
    assert "TMPDIR must be a folder mlflow-uploads-UID" in refusal(folder)
    assert (folder / "photos").exists()


def test_no_other_folder_must_be_emptied_if_that_of_the_server_cannot_be_used(
    uploads: Path,
) -> None:
    uploads.rmdir()
    # For root, every folder can be written.
    uploads.write_text("not a folder")
    assert refusal(uploads).startswith(f"{uploads} cannot be used for uploads: ")
    assert (uploads.parent / "other" / "photos").exists()


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount a file system of 64 KiB."""
    command = ("mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=8", "tmpfs", str(folder))
    if os.getuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount anything")
    try:
        yield
    finally:
        subprocess.run(("umount", str(folder)), check=True)


@pytest.mark.parametrize("has_lock", [True, False])
def test_a_server_must_start_after_uploads_have_filled_the_disk(
    uploads: Path, *, has_lock: bool
) -> None:
    with mounted(uploads):
        if has_lock:
            (uploads / ".lock").touch()
        with (uploads / "partial").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        with suppress(OSError):
            for number in range(8):
                (uploads / f"partial-{number}").touch()
        with running(uploads) as (_, folder):
            assert {*uploads.iterdir()} == {uploads / ".lock", folder}
            assert (uploads.parent / "other" / "photos").exists()


def test_what_is_mounted_below_must_not_be_deleted(uploads: Path) -> None:
    inside = uploads / "disk"
    inside.mkdir()
    with mounted(inside):
        (inside / "photos").mkdir()
        with running(uploads):
            assert (inside / "photos").exists()


def test_without_file_locks_a_server_must_start_and_delete_nothing(uploads: Path) -> None:
    (uploads / "maybe in use").mkdir()
    with running(uploads, before=NO_LOCKS) as (_, folder):
        assert folder.parent == uploads
        assert (uploads / "maybe in use").exists()


def test_connections_that_no_process_has_accepted_must_be_counted() -> None:
    code = (
        "import json, socket, stop_listening; one = socket.create_server(('127.0.0.1', 0));"
        "clients = [socket.create_connection(one.getsockname()) for _ in range(3)];"
        "before = stop_listening.waiting(one); one.accept();"
        "print(json.dumps([before, stop_listening.waiting(one)]))"
    )
    environ = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run(
        (sys.executable, "-c", code), env=environ, check=True, capture_output=True, text=True
    )
    expected = [3, 2] if sys.platform == "linux" else [0, 0]
    assert json.loads(done.stdout) == expected


def test_without_docker_one_note_must_say_that_several_servers_have_no_effect(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text(env_text("MLFLOW_REPLICAS=2"), encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    loaded, paths = read_settings(tmp_path / ".env", {})
    found = notes(load_plan(loaded, paths, {"HOME": str(tmp_path)}, LOCAL))
    told = [note for note in found if "MLFLOW_REPLICAS" in note]
    assert told == ["MLFLOW_REPLICAS has no effect without Docker"]
