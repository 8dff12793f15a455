"""The Kubernetes cluster of `.ci/k8s`, which the tests that need one start, and share."""

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.kubernetes import CLUSTER, home, prepared, program

from .tool import Output, environment, run
from .waiting import wait_until

READY = "ready after"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def _own_environment() -> dict[str, str]:
    """Return the environment of `.ci/k8s/cluster`; another network allows another cluster."""
    network = prepared("K8S_NETWORK")
    return environment(K8S_HOME=str(home()), **({"K8S_NETWORK": network} if network else {}))


class Cluster:
    """A cluster that runs as long as this process, at most: it ends when its input does.

    Attributes:
        kubeconfig: Works on this machine; its context has all rights.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = home() / "run"
        self.kubeconfig = self._state / "kubeconfig"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; wait for the cluster of another test run to end before."""
        log = self._folder / "cluster.log"
        with log.open("wb") as output:
            self._process = process = subprocess.Popen(
                [CLUSTER, "run"],
                env=_own_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(
                lambda: READY in log.read_text(encoding="utf-8") or process.poll() is not None,
                seconds=600,
                what=f"the cluster starts, or waits for another: {log}",
            )
            assert process.poll() is None, log.read_text(encoding="utf-8")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it, unless it has ended."""
        assert self._process
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(120)

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which kubectl, Helm and the tool use this cluster."""
        # Where an ordinary containerd listens, there is that of Docker.
        own = {"CONTAINERD_ADDRESS": str(self._state / "containerd.sock")}
        found = environment(KUBECONFIG=str(self.kubeconfig), **own, **more)
        path = os.pathsep.join([str(home() / "bin"), found["PATH"]])
        # Caches of API calls and charts.
        return {**found, "PATH": path, "HOME": str(self._folder)}

    def load(self, *images: str) -> None:
        """Copy images from the Docker engine, unless they are there."""
        if missing := {*images} - self.images():
            run(str(CLUSTER), "import", *missing, env=_own_environment())

    def images(self) -> set[str]:
        """Return the images that it has, as Docker names them."""
        found = self.enter("ctr", "images", "list", "--quiet").out.split()
        return {name.removeprefix("docker.io/").removeprefix("library/") for name in found}

    def enter(self, *command: str, code: int | None = 0) -> Output:
        """Run a command of this machine in the namespaces of the node."""
        return run(str(CLUSTER), "enter", *command, code=code, env=_own_environment())

    def kubectl(self, *arguments: str, code: int | None = 0, given: str | None = None) -> Output:
        """Run kubectl."""
        return run(program("kubectl"), *arguments, code=code, given=given, env=self.environment())

    def helm(self, *arguments: str, code: int | None = 0) -> Output:
        """Run Helm."""
        return run(program("helm"), *arguments, code=code, env=self.environment())

    @contextmanager
    def namespace(self, labels: Mapping[str, str] = RESTRICTED) -> Iterator["Namespace"]:
        """Create a namespace, and delete it with everything in it at the end of the block."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", name, *(f"{key}={labels[key]}" for key in labels))
        try:
            yield Namespace(self, name)
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")
            # Without waiting for their clients.
            everything = ("delete", "pods", "--all", "--grace-period=1", "--wait=false")
            self.kubectl(*everything, "--namespace", name)

    def keep_logs(self, folder: Path) -> None:
        """Write the state of everything, and the logs of servers and containers."""
        folder.mkdir(parents=True, exist_ok=True)
        for kinds in ("all,persistentvolumeclaims,persistentvolumes", "events"):
            found = self.kubectl("get", kinds, "--all-namespaces", "--output=wide", code=None)
            (folder / f"{kinds.split(',')[0]}.txt").write_text(found.text, encoding="utf-8")
        for source, name in (("log", "servers"), ("varlog/pods", "pods")):
            shutil.copytree(self._state / source, folder / name, dirs_exist_ok=True)


class Namespace:
    """A namespace of its own for a test."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name

    def kubectl(self, *arguments: str, code: int | None = 0, given: str | None = None) -> Output:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, code=code, given=given)

    def helm(self, *arguments: str, code: int | None = 0) -> Output:
        """Run Helm in this namespace."""
        return self.cluster.helm("--namespace", self.name, *arguments, code=code)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Create or change resources; unknown fields are errors."""
        listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.kubectl("apply", "--validate=strict", "--filename=-", given=json.dumps(listed))

    def get(self, *what: str) -> Any:  # noqa: ANN401 - as Kubernetes defines it
        """Return a resource, or a list of them."""
        return json.loads(self.kubectl("get", *what, "--output=json").out)

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[str]:
        """Forward a free port of this machine to a Service or pod; yield its URL."""
        with subprocess.Popen(
            [
                *(program("kubectl"), "--namespace", self.name, "port-forward"),
                *("--address=127.0.0.1", target, f":{port}"),
            ],
            env=self.cluster.environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout
                line = process.stdout.readline()
                found = FORWARDING.match(line)
                assert found, f"no port is forwarded to {target}: {line}"
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()
