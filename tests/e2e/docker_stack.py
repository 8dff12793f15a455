"""A stack on the Docker engine."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from .images import image_settings
from .running import SERVERS, RunningStack
from .tool import Output, run

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"

NEVER = "0001-01-01T00:00:00Z"


def docker(*arguments: str, code: int | None = 0, given: str | None = None) -> Output:
    """Run a docker command."""
    return run("docker", *arguments, code=code, given=given)


def _is_one_off(container: Mapping[str, Any]) -> bool:
    return bool(container["Config"]["Labels"].get(ONE_OFF) == "True")


class DockerStack(RunningStack):
    """A stack whose containers are found by Compose's labels."""

    engine: ClassVar[str] = "docker"

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.one_key = settings.get("S3_PROVIDER") == "rclone"
        images = image_settings(settings.get("S3_PROVIDER", "minio"))
        super().__init__(folder, {**images, **settings})

    @property
    def root_key(self) -> tuple[str, str]:
        """The S3 server's root key, or the application's key if it is the only one."""
        return self.app_key if self.one_key else super().root_key

    @property
    def compose_folder(self) -> Path:
        """Folder of the rendered files."""
        return self.folder / "compose"

    def compose(self, *arguments: str, code: int | None = 0) -> Output:
        """Run plain `docker compose` in the rendered folder, with no tool involved."""
        return run("docker", "compose", *arguments, code=code, folder=self.compose_folder)

    def override(self, text: str) -> None:
        """Write Compose's override file, as an owner would."""
        self.tool("render")
        path = self.compose_folder / "docker-compose.override.yaml"
        path.write_text(text, encoding="utf-8")

    def drop_override(self) -> None:
        """Remove Compose's override file."""
        (self.compose_folder / "docker-compose.override.yaml").unlink(missing_ok=True)

    def containers(self) -> dict[str, Any]:
        """Return `docker inspect` of every container of the stack, by service."""
        return {
            container["Config"]["Labels"][SERVICE]: container
            for container in self._inspected()
            if not _is_one_off(container)
        }

    def every_container(self, service: str) -> list[dict[str, Any]]:
        """Return `docker inspect` of each container of a service that has several."""
        found = (one for one in self._inspected() if not _is_one_off(one))
        chosen = [one for one in found if one["Config"]["Labels"][SERVICE] == service]
        return sorted(chosen, key=lambda one: int(one["Config"]["Labels"][NUMBER]))

    def one_offs(self) -> list[str]:
        """Return the names of containers that run a single command."""
        return [found["Name"] for found in self._inspected() if _is_one_off(found)]

    def _inspected(self) -> Iterable[Any]:
        ids = self._list("ps", "--all")
        # A container that is removed meanwhile is not an error.
        return json.loads(docker("inspect", *ids, code=None).out) if ids else ()

    def image(self, service: str) -> str:
        """Return the image name of a service."""
        return str(self.containers()[service]["Config"]["Image"])

    def ids(self) -> dict[str, str]:
        """Return the container id of each service."""
        return {name: container["Id"] for name, container in self.containers().items()}

    def starts(self, *services: str) -> dict[str, str]:
        """Return when each server's container was last started."""
        containers = self.containers()
        return {
            name: containers[name]["State"]["StartedAt"]
            for name in services or SERVERS
            if name in containers and containers[name]["State"]["StartedAt"] != NEVER
        }

    def was_started(self, service: str) -> bool:
        """Tell whether a service's container was ever started."""
        container = self.containers().get(service)
        return container is not None and container["State"]["StartedAt"] != NEVER

    def volumes(self) -> set[str]:
        """Return the names of the volumes, without the stack's name as prefix."""
        return {name.removeprefix(f"{self.name}_") for name in self._list("volume", "ls")}

    def health(self, service: str) -> str:
        """Return the result of the healthcheck."""
        container = self.containers().get(service)
        if container is None or container["State"]["Status"] != "running":
            return ""
        return str(container["State"]["Health"]["Status"])

    def kill(self, *services: str) -> None:
        """Kill containers' first processes from the host.

        By pid and not with `docker kill`, after which the engine would not restart it. From a
        container in the host's pid namespace, since only root may do this, and since the engine
        may run in a virtual machine.
        """
        containers = self.containers()
        pids = {service: containers[service]["State"]["Pid"] for service in services}
        assert all(pids.values()), f"not all of these run: {pids}"
        options = ("--rm", "--pid=host", "--user=0", "--entrypoint=sh")
        command = f"kill -9 {' '.join(map(str, pids.values()))}"
        docker("run", *options, containers[services[0]]["Config"]["Image"], "-c", command)

    def stop(self, service: str) -> None:
        """Stop a container, so that it stays stopped."""
        docker("stop", "--time", "1", self.ids()[service])

    def restart(self, service: str) -> None:
        """Stop a container and start it again."""
        docker("restart", "--time", "1", self.ids()[service])

    def execute(self, service: str, *argv: str, given: str | None = None) -> str:
        """Run a command in a container."""
        return docker("exec", "--interactive", self.ids()[service], *argv, given=given).out

    def command_lines(self, service: str) -> str:
        """Return the processes of a container."""
        return docker("top", self.ids()[service], "-eo", "pid,args").out

    def purge(self) -> None:
        """Remove containers, volumes and networks of the stack."""
        for listed, removed in (
            (("ps", "--all"), ("rm", "--force", "--volumes")),
            (("volume", "ls"), ("volume", "rm", "--force")),
            (("network", "ls"), ("network", "rm")),
        ):
            if found := self._list(*listed):
                docker(*removed, *found)

    def keep_logs(self, folder: Path) -> None:
        """Write `docker logs` and the state of every container."""
        folder.mkdir(parents=True, exist_ok=True)
        for service, container in self.containers().items():
            logs = docker("logs", "--timestamps", container["Id"], code=None)
            (folder / f"{service}.log").write_text(logs.text, encoding="utf-8")
            state = json.dumps(container["State"], indent=2)
            (folder / f"{service}.state.json").write_text(state, encoding="utf-8")
        listed = docker("ps", "--all", "--filter", f"label={PROJECT}={self.name}", code=None)
        (folder / "ps.txt").write_text(listed.text, encoding="utf-8")

    def _list(self, *command: str) -> list[str]:
        return docker(*command, "--quiet", "--filter", f"label={PROJECT}={self.name}").out.split()
