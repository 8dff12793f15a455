"""One `.env`, two engines: the choice of engine, and that neither touches the other's data."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .docker_stack import DockerStack
from .local_stack import LocalStack
from .small import kept
from .tool import SCRIPT, environment

pytestmark = pytest.mark.docker


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[DockerStack, LocalStack]]:
    """Return one stack as each engine sees it, not started."""
    docker = DockerStack(tmp_path, {"STACK_ENGINE": "auto", "BACKEND_STORE": "sqlite"})
    local = LocalStack.__new__(LocalStack)
    local.__dict__.update(vars(docker))
    yield docker, local
    docker.tool("down", "--volumes", "--yes", code=None, STACK_ENGINE="local")
    docker.purge()


def without_docker(tmp_path: Path) -> str:
    """Return a PATH without a docker command."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    for name in ("sh", "env", "dirname", "touch", "sleep", "find", "id", "mkdir", "rm"):
        link = folder / name
        if not link.exists():
            link.symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    return f"{SCRIPT.parent}:{folder}"


def test_auto_must_stay_with_the_engine_that_has_the_data(
    both: tuple[DockerStack, LocalStack], tmp_path: Path
) -> None:
    """One line reports the engine and the reason; neither may use a folder of the other's."""
    docker, local = both
    output = docker.tool("up", "--no-verify")
    output.shows("note: engine docker: Docker answers")
    run = docker.log_run()
    docker.tool("down")

    path = without_docker(tmp_path)
    assert "PATH" in environment()
    output = docker.tool("up", "--no-verify", code=1, PATH=path)
    output.shows("note: engine docker: it has the data of this stack", "Docker is not installed")
    assert local.pids() == {}
    docker.write(MINIO_VOLUME_PATH="objects")
    output = docker.tool("up", "--no-verify", "--engine", "local", PATH=path)
    output.shows("note: engine local: the stack's data on docker is not shown")
    assert kept(local).runs == []
    other = local.log_run()

    # Docker is available again while the other engine runs the stack.
    assert docker.tool("status", "--json").data["engine"] == "local"
    docker.tool("down")
    assert local.pids() == {}
    before = contents(local)
    assert before[Path("objects", local.bucket, other.key)] == other.artifact
    output = docker.up("--engine", "docker", "--start-empty", code=1)
    output.shows("MINIO_VOLUME_PATH", "files of another server than S3_PROVIDER minio")

    with docker.changed(MINIO_VOLUME_PATH=""):
        docker.tool("up", "--no-verify")
        docker.expect(run)
        assert kept(docker).runs == [run.id]
    assert contents(local) == before
    assert kept(local).runs == [other.id]


def contents(stack: LocalStack) -> dict[Path, bytes]:
    """Return the local engine's files with data, by their paths in the stack's folder."""
    folders = (stack.local_folder / "data", stack.folder / "objects")
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(stack.folder): path.read_bytes() for path in files}
