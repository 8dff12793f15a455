"""A stack in the tests' cluster, as its owner uses it."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from mlflow_compose.actions import load_plan, read_settings
from mlflow_compose.engines import Engine, open_engine
from mlflow_compose.targets import HELM

from .cluster import Cluster, Namespace
from .images import image_settings
from .running import SERVERS, WAIT_TIMEOUT, edit
from .tool import SCRIPT, Output, tool
from .tracking import Api
from .waiting import free_ports, wait_until

CONTEXT = "mlflow-compose-ci"


class ClusterStack:
    """A stack with a folder, a name and a namespace of its own."""

    def __init__(self, cluster: Cluster, folder: Path, image: str, **settings: str) -> None:
        self.folder, self.cluster = folder, cluster
        self.name = f"e2e-{uuid.uuid4().hex[:8]}"
        self.namespace = Namespace(cluster, settings.get("KUBE_NAMESPACE", self.name))
        (self.port,) = free_ports(1)
        images = {**image_settings(), "MLFLOW_IMAGE": image}
        cluster.load(image, images["POSTGRES_IMAGE"], images["MINIO_IMAGE"])
        chosen = {
            "COMPOSE_PROJECT_NAME": self.name,
            "STACK_ENGINE": "kubernetes",
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_WORKERS": "1",
            **images,
            **settings,
        }
        pairs = [word for pair in chosen.items() for word in ("--set", "=".join(pair))]
        self.tool("init", *pairs)

    def tool(self, *arguments: str, code: int | None = 0) -> Output:
        """Run `mlflow-compose` in the stack's folder, with the cluster as kubectl's current one."""
        if "up" in arguments:
            arguments = (*arguments, f"--wait-timeout={WAIT_TIMEOUT}")
        env = self.cluster.environment()
        return tool(*arguments, code=code, folder=self.folder, env=env)

    def write(self, **values: str) -> None:
        """Edit the env file, as its owner would."""
        edit(self.env_file, values)

    @property
    def env_file(self) -> Path:
        """The stack's env file."""
        return self.folder / ".env"

    @contextmanager
    def opened(self) -> Iterator[Api]:
        """Provide MLflow's REST API while `mlflow-compose open` runs."""
        api = Api(f"http://127.0.0.1:{self.port}")
        process = self.begin("open")
        try:
            self.wait_until_answering(api)
            yield api
        finally:
            process.terminate()
            process.wait(60)

    def wait_until_answering(self, api: Api) -> None:
        """Wait until MLflow answers at an address."""
        wait_until(lambda: _answers(api), seconds=60, what=f"{api.url} answers")

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command of the tool in a process group of its own."""
        return subprocess.Popen(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.cluster.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def engine(self) -> Engine:
        """Return its engine, as the tool itself uses it."""
        world = self.cluster.environment(KUBE_CONTEXT=CONTEXT)
        loaded, paths = read_settings(self.env_file, world)
        plan = load_plan(loaded, paths, world, HELM)
        return open_engine(plan.stack, plan.paths, plan.identity, world)

    def names(self, kind: str) -> set[str]:
        """Return the names of all objects of a kind in the namespace, without Helm's own."""
        found = self.namespace.get(kind)["items"]
        return {
            each["metadata"]["name"]
            for each in found
            if not each["metadata"]["name"].startswith(("sh.helm.", "kube-root-ca"))
        }

    def versions(self) -> dict[str, str]:
        """Return the version of every object that the tool manages, by kind and name."""
        kinds = "secrets,deployments,statefulsets,services,persistentvolumeclaims"
        return {
            f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["uid"]
            + str(each["metadata"].get("generation", ""))
            for each in self.namespace.get(kinds)["items"]
        }

    def release(self) -> str:
        """Return Helm's word for the state of the release, empty if there is none."""
        found: list[dict[str, Any]] = json.loads(
            self.namespace.helm("list", "--all", "--output=json").out
        )
        return str(found[0]["status"]) if found else ""

    def kill(self) -> None:
        """Delete all pods without giving them time, and wait until others get requests."""
        before = self.pods()
        self.namespace.kubectl("delete", "pods", "--all", "--grace-period=0", "--force")
        wait_until(
            lambda: len(set(self.pods(are_ready=True)) - set(before)) == len(SERVERS),
            seconds=120,
            what="all servers are ready again",
        )

    def pods(self, *, are_ready: bool = False) -> list[str]:
        """Return the ids of all pods, or of those that get requests."""
        ready = {"type": "Ready", "status": "True"}
        return [
            pod["metadata"]["uid"]
            for pod in self.namespace.get("pods")["items"]
            if not are_ready
            or any(ready.items() <= each.items() for each in pod["status"].get("conditions", ()))
        ]

    def wait_for_release(self, status: str) -> None:
        """Wait until Helm reports a state of the release."""
        wait_until(lambda: self.release() == status, seconds=30, what=f"the release is {status}")

    def purge(self) -> None:
        """Delete the namespace."""
        options = ("--ignore-not-found", "--wait=false")
        self.cluster.kubectl("delete", "namespace", self.namespace.name, *options)
        pods = ("delete", "pods", "--all", "--grace-period=1", "--wait=false")
        self.namespace.kubectl(*pods, code=None)


def _answers(api: Api) -> bool:
    try:
        return api.call("GET", "/health").ok
    except requests.RequestException:
        return False
