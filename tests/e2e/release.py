"""A release of the chart, installed as its users do: with kubectl and Helm, without the tool."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from .cluster import Namespace
from .images import build_mlflow, image_settings
from .tool import Output, environment, run, tool
from .tracking import Api
from .waiting import wait_until

NAME = "lab"
WAIT = ("--reset-values", "--wait", "--wait-for-jobs", "--timeout=300s")


class Release:
    """The stack of a folder in a namespace.

    Attributes:
        folder: The folder of `.env`.
        chart: The rendered chart.
    """

    def __init__(self, namespace: Namespace, folder: Path, **settings: str) -> None:
        self.namespace, self.folder, self.chart = namespace, folder, folder / "helm"
        names = {"COMPOSE_PROJECT_NAME": NAME, "KUBE_NAMESPACE": namespace.name}
        chosen = {**names, **image_settings(), **settings}
        self.tool("init", *(word for pair in chosen.items() for word in ("--set", "=".join(pair))))
        self.commands: list[str] = self.tool("render", "--target", "helm", "--json").data["install"]
        self._load_images()

    def tool(self, *arguments: str) -> Output:
        """Run `mlflow-compose` in the folder."""
        return tool(*arguments, folder=self.folder, env=environment())

    def _load_images(self) -> None:
        """Build MLflow's image as for Docker, and copy all images to the cluster."""
        self.tool("render", "--target", "compose")
        build_mlflow(self.folder / "compose")
        values = yaml.safe_load((self.chart / "values.yaml").read_text(encoding="utf-8"))
        images = [values[name]["image"] for name in ("mlflow", "postgres", "s3")]
        self.namespace.cluster.load(*images)

    def install(self) -> None:
        """Run the commands that `render` printed; the namespace exists."""
        for command in self.commands[1:]:
            run(*shlex.split(command), env=self.namespace.cluster.environment())

    def upgrade(self, *values: str, code: int = 0) -> Output:
        """Change values of the release, all others being those of the chart."""
        options = [f"--set={value}" for value in values]
        return self.namespace.helm("upgrade", NAME, str(self.chart), *options, *WAIT, code=code)

    def verify(self) -> None:
        """Let the chart's own test log a run and an artifact."""
        self.namespace.helm("test", NAME, "--timeout=120s")

    def pods(self, service: str) -> dict[str, str]:
        """Return the ids of a service's pods that are ready and not about to end, by name."""
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in self._pods(service)
            if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
        }

    def _pods(self, service: str) -> list[Any]:
        selector = f"--selector=app.kubernetes.io/name={service}"
        found: list[Any] = self.namespace.get("pods", selector)["items"]
        return found

    def wait_for_pods(self, service: str, number: int) -> list[str]:
        """Wait until a service has this number of pods; return their names."""
        what = f"{number} pods of {service}"
        wait_until(lambda: len(self.pods(service)) == number, seconds=60, what=what)
        return [*self.pods(service)]

    def kill(self, service: str) -> None:
        """Kill the pods of a service, and wait until others are ready in their place."""
        killed = self.pods(service)
        self.namespace.kubectl("delete", "pod", *killed, "--grace-period=0", "--force")
        wait_until(
            lambda: len({*self.pods(service).values()} - {*killed.values()}) == len(killed),
            seconds=120,
            what=f"other pods of {service} are ready",
        )

    @contextmanager
    def api(self, target: str = "service/mlflow") -> Iterator[Api]:
        """Forward a port to the tracking server, or to one of its pods."""
        with self.namespace.forward(target, 5000) as url:
            yield Api(url)

    def start_server_without_database(self) -> None:
        """Stop the database, and wait until a new server waits for it."""
        self.namespace.kubectl("scale", "statefulset/postgres", "--replicas=0")
        self.namespace.kubectl("rollout", "restart", "deployment/mlflow")
        wait_until(
            lambda: any(is_waiting(pod) for pod in self._pods("mlflow")),
            seconds=60,
            what="a server waits for the database",
        )

    def wait_until_gone(self, service: str) -> None:
        """Wait until all pods of a service have ended."""
        what = f"all pods of {service} end"
        wait_until(lambda: not self._pods(service), seconds=20, what=what)

    def run_cron_job(self, name: str) -> None:
        """Run a CronJob once, now."""
        job = f"job/{name}-now"
        self.namespace.kubectl("create", "job", f"--from=cronjob/{name}", f"{name}-now")
        self.namespace.kubectl("wait", "--for=condition=Complete", job, "--timeout=120s")

    def sql(self, statement: str) -> list[str]:
        """Return the rows of a statement in the database."""
        login = ("--username=mlflow", "--dbname=mlflow", "--no-align", "--tuples-only")
        psql = ("exec", "postgres-0", "--", "psql", *login, f"--command={statement}")
        return self.namespace.kubectl(*psql).out.splitlines()

    def claims(self) -> dict[str, Any]:
        """Return the volume of each claim."""
        listed = self.namespace.get("persistentvolumeclaims")["items"]
        return {each["metadata"]["name"]: each["spec"]["volumeName"] for each in listed}

    @contextmanager
    def client(self) -> Iterator["PodClient"]:
        """Let clients in a pod log runs while the block runs."""
        client = PodClient(self)
        try:
            client.wait_for_more()
            yield client
        finally:
            client.stop()


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod answers requests."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_waiting(pod: Mapping[str, Any]) -> bool:
    """Tell whether the first init container of a pod runs."""
    first: Mapping[str, Any] = next(iter(pod["status"].get("initContainerStatuses", ())), {})
    return "running" in first.get("state", {})


class PodClient:
    """Clients in a pod of their own, which reach the servers by DNS and their Service."""

    def __init__(self, release: Release) -> None:
        self._namespace = release.namespace
        values = yaml.safe_load((release.chart / "values.yaml").read_text(encoding="utf-8"))
        code = Path(__file__).with_name("pod_client.py").read_text(encoding="utf-8")
        url = f"http://mlflow.{self._namespace.name}.svc:5000"
        container = {
            "name": "client",
            "image": values["mlflow"]["image"],
            "args": ["python", "-c", code, url],
            "env": [{"name": "SECRETS_DIR", "value": "/nothing"}],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        self._namespace.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "client"},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                },
            }
        )

    def lines(self) -> list[list[str]]:
        """Return the words of each line that the clients printed."""
        printed = self._namespace.kubectl("logs", "pod/client", code=None).out
        found = [line.split() for line in printed.splitlines()]
        return [words for words in found if words[:1] and words[0] in KINDS]

    def wait_for_more(self) -> None:
        """Wait until all kinds of clients were answered again."""
        before = self.counts()
        wait_until(
            lambda: all(now > then for now, then in zip(self.counts(), before, strict=True)),
            seconds=60,
            what="clients in a pod are answered",
        )

    def counts(self) -> list[int]:
        """Return how much of each kind was acknowledged."""
        kinds = [words[0] for words in self.lines()]
        return [kinds.count(kind) for kind in ACKNOWLEDGED]

    def stop(self) -> None:
        """Let them finish their requests."""
        self._namespace.kubectl("exec", "client", "--", "touch", "/tmp/stop")  # noqa: S108
        wait_until(lambda: ["done"] in self.lines(), seconds=60, what="clients in a pod finish")


ACKNOWLEDGED = ("metric", "artifact", "run")
KINDS = (*ACKNOWLEDGED, "failed", "done")
