"""Pods that only wait for commands: like those of a service, without its server."""

import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mlflow_compose.engines.kubernetes.cluster import SERVICE_LABEL, TIMEOUT, Cluster
from mlflow_compose.engines.kubernetes.install import template
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Workload, chart

# Value of SERVICE_LABEL: no Service sends requests to them, and no workload counts them.
RUN = "mlflow-compose-run"
# Seconds after which the cluster ends them, if this program cannot.
ENDS_AFTER = 24 * 3600
WORKLOADS = frozenset({"Deployment", "StatefulSet"})
# Parts of a container that are not about what it runs and how that is watched.
KEPT = ("image", "imagePullPolicy", "securityContext", "env", "volumeMounts", "resources")


def pod_for(cluster: Cluster, folder: Path, service: str, *, is_installed: bool) -> dict[str, Any]:
    """Return a pod for commands in place of a service, or for a tool or a job.

    Args:
        cluster: Namespace of the stack.
        folder: Folder of the chart.
        service: Name of the service.
        is_installed: Whether the chart is, with the service account of its pods.

    Raises:
        EngineError: The chart cannot be rendered.
    """
    values = chart(cluster.stack)
    servers = {each.service.name for each in (values.mlflow, values.postgres, values.s3) if each}
    found = _workload(
        cluster, folder, service if service in servers else values.mlflow.service.name
    )
    spec = _waiting(found["spec"]["template"]["spec"], service)
    if not is_installed:
        spec.pop("serviceAccountName", None)
    for each in (values.client, values.bucket_init):
        if service == each.service.name:
            _configure(spec, each)
    labels = {**found["metadata"]["labels"], SERVICE_LABEL: RUN}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{service}-run-{secrets.token_hex(4)}", "labels": labels},
        "spec": spec,
    }


@contextmanager
def as_file(manifest: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    """Provide a manifest as an open file."""
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(manifest).encode())
        file.seek(0)
        yield file


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that kubectl prints one after the other."""
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        found, end = decoder.raw_decode(text)
        yield found
        text = text[end:].lstrip()


def _waiting(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a pod's specification with one container that waits."""
    server = spec["containers"][0]
    container = {part: server[part] for part in KEPT if part in server}
    container |= {"name": name, "command": ["sleep", str(ENDS_AFTER)]}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    # Without the containers that wait for other servers.
    kept = {part: value for part, value in spec.items() if part != "initContainers"}
    return kept | {
        "containers": [container],
        "volumes": [volume for volume in spec["volumes"] if volume["name"] in mounted],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": ENDS_AFTER,
        "terminationGracePeriodSeconds": 1,
    }


def _configure(spec: dict[str, Any], workload: Workload) -> None:
    """Give a pod the image, the user, the variables and the Secret of another service."""
    service, (container,) = workload.service, spec["containers"]
    container["image"] = service.image
    container["env"] = [
        *({"name": name, "value": value} for name, value in service.environment.items()),
    ]
    ids = dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), workload.user)
    spec["securityContext"] = {**spec["securityContext"], **ids}
    for volume in spec["volumes"]:
        if "secret" in volume:
            volume["secret"] = {**volume["secret"], "secretName": workload.secret}


def server_version(cluster: Cluster) -> str:
    """Return the version of the cluster's API server."""
    found = json.loads(cluster.do(cluster.kubectl("version", "--output=json", TIMEOUT)))
    return str(found["serverVersion"]["gitVersion"])


def _workload(cluster: Cluster, folder: Path, name: str) -> dict[str, Any]:
    """Return the workload of a service, as the chart has it."""
    with tempfile.TemporaryFile() as file:
        # By default, helm assumes a version that may be too old for the chart.
        version = ("--kube-version", server_version(cluster))
        file.write(cluster.do([*template(cluster, folder, name), *version]))
        file.seek(0)
        options = ("--dry-run=client", "--output=json", "--filename=-", TIMEOUT)
        printed = cluster.do(cluster.kubectl("create", *options), stdin=file)
    for found in documents(printed.decode()):
        if found["kind"] in WORKLOADS:
            return found
    raise EngineError(f"the chart has no workload {name}", hint="mlflow-compose render")
