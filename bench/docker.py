"""Stacks on Docker: the plain one and ours."""

import os
from collections.abc import Mapping
from pathlib import Path

from bench.commands import CommandError, StillRunningError, free_ports, run, tool
from bench.images import build_plain, exists, plain_image
from bench.preconditions import check_process
from bench.processes import named, parent
from bench.stack import S3, access

PLAIN_FILE = Path(__file__).with_name("plain") / "docker-compose.yaml"
MLFLOW_PORT = 5000
# Services whose images are built, and how the names of these images start.
BUILT = {"mlflow": "mlflow_server", "jupyter": "mlflow_jupyter"}
SERVICE_LABEL = "com.docker.compose.service"


def services(project: str) -> Mapping[str, int]:
    """Return the first process of each running service of a Compose project."""
    form = f'{{{{index .Config.Labels "{SERVICE_LABEL}"}}}} {{{{.State.Pid}}}} {{{{.Id}}}}'
    lines = run("docker", "inspect", "--format", form, *containers(project)).splitlines()
    found = {}
    for name, pid, container in (line.split() for line in lines):
        check_process(container, int(pid))
        found[name] = int(pid)
    return found


def containers(project: str, *filters: str) -> list[str]:
    """Return the ids of the running containers of a Compose project."""
    label = f"label=com.docker.compose.project={project}"
    options = [word for one in (label, *filters) for word in ("--filter", one)]
    return run("docker", "ps", "--quiet", *options).split()


class DockerStack:
    """What stacks on Docker have in common, found by the name of their Compose project."""

    restarts = True
    mlflow_port = MLFLOW_PORT

    def __init__(self, project: str) -> None:
        """Name the stack."""
        self.project = f"bench-{project}-{os.getpid()}"

    def services(self) -> Mapping[str, int]:
        """Return the first process of each running service."""
        return services(self.project)

    def first_processes(self) -> list[int]:
        """Return the first process of each container."""
        return list(self.services().values())

    def overhead(self) -> list[int]:
        """Return Docker's processes that work for the stack.

        dockerd and containerd work for all containers of this machine; the parent of each container
        also runs its health checks.
        """
        shims = [parent(pid) for pid in self.services().values()]
        return [*named("dockerd|containerd"), *shims]

    def written(self, prefix: str) -> Mapping[str, int]:
        """Return the bytes that containers wrote outside of volumes, by service."""
        form = f'{{{{index .Config.Labels "{SERVICE_LABEL}"}}}} {{{{.SizeRw}}}}'
        lines = run("docker", "inspect", "--size", "--format", form, *containers(self.project))
        sizes = (line.split() for line in lines.splitlines())
        return {name: int(size) for name, size in sizes if name.startswith(prefix)}

    def sql(self, statements: str) -> str:
        """Run SQL in the container of PostgreSQL."""
        (container,) = containers(self.project, f"label={SERVICE_LABEL}=postgres")
        psql = ("psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-U", "mlflow", "mlflow")
        return run("docker", "exec", "-i", container, *psql, text=statements)

    def remove(self) -> None:
        """Remove what is left of the stack, by the name of its project."""
        down = ("docker", "compose", "--project-name", self.project, "down", "--volumes")
        try:
            run(*down)
        except CommandError as error:
            raise StillRunningError(
                f"{error}\nthe stack may still be running, so its files stay\n"
                f"hint: {' '.join(down)}"
            ) from error


class PlainStack(DockerStack):
    """The Compose file that our stack is compared with."""

    restarts = False
    login = None
    environment_file = ""

    def __init__(self, images: Mapping[str, str]) -> None:
        """Choose free ports, and the images of PostgreSQL, the S3 server and Python."""
        super().__init__("plain")
        port, s3 = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.s3 = S3(f"http://127.0.0.1:{s3}", "minioadmin", "minioadmin")
        self.environ = {
            **images,
            "MLFLOW_IMAGE": plain_image(images["PYTHON_IMAGE"]),
            "PORT": str(port),
            "S3_PORT": str(s3),
        }

    def build(self) -> None:
        """Build the image of MLflow if there is none."""
        build_plain(self.environ["PYTHON_IMAGE"])

    def use_image(self, image: str) -> None:
        """Use another image of MLflow."""
        self.environ["MLFLOW_IMAGE"] = image

    def prepare(self) -> None:
        """Pull the other images if they are missing."""
        self.compose("pull", "--policy", "missing", "postgres", "s3")

    def compose(self, *arguments: str) -> None:
        """Run Docker Compose with the file."""
        compose = ("docker", "compose", "--file", str(PLAIN_FILE), "--project-name", self.project)
        run(*compose, *arguments, environ=self.environ)

    def up(self) -> None:
        """Start the stack and wait until it is healthy."""
        self.compose("up", "--detach", "--wait")

    def down(self) -> None:
        """Stop the stack and delete its data."""
        self.remove()


class OurStack(DockerStack):
    """A stack of this project on Docker."""

    def __init__(self, name: str, settings: Mapping[str, str], folder: Path) -> None:
        """Write the `.env` of a stack into a folder."""
        super().__init__(name)
        port, s3, console, jupyter = free_ports(4)
        given = {
            "COMPOSE_PROJECT_NAME": self.project,
            "STACK_ENGINE": "docker",
            "MLFLOW_PORT": port,
            "MINIO_PORT": s3,
            "MINIO_CONSOLE_ADDRESS": f":{console}",
            "JUPYTER_PORT": jupyter,
            **settings,
        }
        self.folder = folder
        self.environment_file = str(folder / ".env")
        self.env = ("--env-file", self.environment_file)
        tool(*self.env, "init", *(f"--set={name}={value}" for name, value in given.items()))
        self.url = f"http://127.0.0.1:{port}"
        self.s3, self.login = access(folder / ".env")

    def prepare(self) -> None:
        """Build the images of this project and pull the others, if they are missing."""
        tool(*self.env, "render")
        # First of all, because bucket-init uses MLflow's too. An existing one may be the image of
        # other stacks, and a build would move its name to another image.
        for service, name in self.images().items():
            if not exists(name):
                self.compose("build", service)
        self.compose("pull", "--ignore-buildable", "--policy", "missing")

    def compose(self, *arguments: str) -> str:
        """Run Docker Compose with the rendered files."""
        folder = str(self.folder / "compose")
        return run("docker", "compose", "--project-directory", folder, *arguments)

    def image(self) -> str:
        """Return the name of the image of MLflow."""
        return self.images()["mlflow"]

    def images(self) -> Mapping[str, str]:
        """Return the names of the images that are built, by service."""
        names = self.compose("config", "--images").split()
        return {
            service: name
            for service, start in BUILT.items()
            for name in names
            if name.startswith(start)
        }

    def up(self) -> None:
        """Start the stack and wait until it is healthy."""
        tool(*self.env, "up", "--no-verify")

    def down(self) -> None:
        """Stop the stack and delete its data, also if the tool fails."""
        try:
            tool(*self.env, "down", "--volumes", "--yes")
        except CommandError:
            self.remove()
            raise
