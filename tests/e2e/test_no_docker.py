"""Docker can be missing in four ways; each has its own error message and hint."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from .docker_stack import docker
from .tool import SCRIPT, Output, environment, run, tool

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a stack that is never started."""
    folder = tmp_path_factory.mktemp("stack")
    tool("init", "--set", "STACK_ENGINE=docker", folder=folder)
    return folder


@pytest.mark.parametrize("command", ["up", "down", "status", "verify", "logs"])
def test_a_missing_docker_command_must_be_reported(folder: Path, command: str) -> None:
    output = tool(command, code=1, folder=folder, env=environment(PATH="/nonexistent"))
    output.shows("Docker is not installed", "hint: ")


@pytest.mark.parametrize("command", ["up", "down", "status", "verify", "logs"])
def test_an_engine_that_does_not_answer_must_be_reported(folder: Path, command: str) -> None:
    nowhere = environment(DOCKER_HOST=f"unix://{folder}/nobody.sock")
    output = tool(command, code=1, folder=folder, env=nowhere)
    output.shows("engine does not answer", "hint: ")


def test_a_socket_without_permission_must_be_reported(folder: Path) -> None:
    path = folder / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0)
        # Root ignores permissions unless its capabilities are dropped.
        drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
        output = run(
            *(*drop, str(SCRIPT), "up"),
            code=1,
            folder=folder,
            env=environment(DOCKER_HOST=f"unix://{path}"),
        )
    assert "Traceback" not in output.text
    output.shows("permission denied")
    assert "docker" in output.err.partition("hint: ")[2]


def test_a_missing_compose_must_be_reported(folder: Path) -> None:
    output = without_compose(folder)
    assert "Traceback" not in output.text
    output.shows("Docker Compose v2 is not", "hint: ")


def without_compose(folder: Path) -> Output:
    """Run `up` in a mount namespace that hides Docker's plugins."""
    namespace = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    if not shutil.which("unshare") or run(*namespace, "true", code=None).code:
        pytest.skip("no mount namespaces for this user")
    plugins = json.loads(docker("info", "--format", "{{json .ClientInfo.Plugins}}").out)
    hidden = sorted({str(Path(plugin["Path"]).parent) for plugin in plugins})
    script = "".join(f"mount -t tmpfs none '{path}' && " for path in hidden) + 'exec "$0" up'
    return run(*namespace, "sh", "-c", script, str(SCRIPT), code=1, folder=folder)
