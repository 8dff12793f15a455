"""The cluster that other tests use does what they expect of one."""

import json
import urllib.request
from typing import Any

import pytest

from .cluster import Cluster, Namespace
from .images import known_images
from .waiting import wait_until

LABELS = {"app": "web"}
# Writes to its volume, and asks itself by the Service's name as soon as it answers.
SERVER = "echo stored >/data/index.html && exec python3 -m http.server 8080 --directory /data"
ASK = "import urllib.request as u; print(u.urlopen('http://web/', timeout=10).read().decode())"


def resources(image: str) -> list[dict[str, Any]]:
    """Return a server with a volume, its claim, and its Service, as `restricted` asks for."""
    pod = {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "containers": [
            {
                "name": "web",
                "image": image,
                "command": ["sh", "-c", SERVER],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": pod},
            },
        },
    ]


# Kernel settings that kubelet sets on a node of its own.
SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def answers(namespace: Namespace, asked: tuple[str, ...]) -> bool:
    return "stored" in namespace.kubectl(*asked, code=None).out


def test_a_restricted_pod_must_have_storage_a_name_and_a_way_in(
    cluster: Cluster, namespace: Namespace
) -> None:
    """The volume belongs to its group, DNS knows its Service, and this machine reaches it."""
    image = known_images()["PYTHON_IMAGE"]
    cluster.load(image)
    namespace.apply(*resources(image))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    asked = ("exec", "deployment/web", "--", "python3", "-c", ASK)
    # Names and addresses of Services follow the state of pods.
    wait_until(lambda: answers(namespace, asked), seconds=20, what="the pod reaches its Service")
    with namespace.forward("service/web", 80) as url, urllib.request.urlopen(url) as answer:  # noqa: S310
        assert answer.read() == b"stored\n"
    assert "GET /" in namespace.kubectl("logs", "deployment/web").text


def test_a_privileged_pod_must_be_refused(namespace: Namespace) -> None:
    """What violates the Pod Security Standard fails here, and not only at a user's."""
    refused = namespace.kubectl("run", "root", "--image=any", "--privileged", code=1)
    assert "violates PodSecurity" in refused.err


@pytest.mark.parametrize("setting", SETTINGS)
def test_kubelet_must_not_change_kernel_settings_of_this_machine(
    cluster: Cluster, setting: str
) -> None:
    """They are read-only for the node's servers, which read values that kubelet accepts."""
    cluster.enter("test", "-r", f"/proc/sys/{setting}")
    cluster.enter("test", "-w", f"/proc/sys/{setting}", code=1)


def test_the_kernel_must_end_servers_of_the_node_like_other_programs(cluster: Cluster) -> None:
    """Kubelet and kube-proxy do not protect themselves when the machine's memory runs out."""
    # As they were told, since in a container they may not be allowed to protect themselves.
    kubelet = cluster.kubectl("get", "--raw", "/api/v1/nodes/k8s-node/proxy/configz").out
    proxy = cluster.enter("curl", "--silent", "--fail", "http://127.0.0.1:10249/configz").out
    assert json.loads(kubelet)["kubeletconfig"]["oomScoreAdj"] == 0
    assert json.loads(proxy)["kubeproxy.config.k8s.io"]["Linux"]["OOMScoreAdj"] == 0
