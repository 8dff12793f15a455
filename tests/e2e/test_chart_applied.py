"""What the chart and its Secrets do with objects that are already in the cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlflow_compose.targets import HELM

from .cluster import Namespace
from .running import edit
from .tool import tool

NAME = "mlflow"
SECRETS_FILE = "secrets/secrets.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a stack."""
    tool("init", folder=tmp_path)
    return tmp_path


def render(folder: Path, **settings: str) -> Path:
    """Render the chart, and return its folder."""
    edit(folder / ".env", settings)
    tool("render", "--target", "helm", folder=folder)
    return folder / HELM.folder


def claim(namespace: Namespace, labels: dict[str, str]) -> dict[str, Any]:
    """Return a claim as `helm uninstall` leaves it, so that a release of that name may use it."""
    release = {"release-name": NAME, "release-namespace": namespace.name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "postgres-data",
            "labels": {"app.kubernetes.io/managed-by": "Helm", **labels},
            "annotations": {f"meta.helm.sh/{name}": value for name, value in release.items()},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "20Gi"}},
        },
    }


def test_only_the_claim_of_this_stack_must_be_used(namespace: Namespace, folder: Path) -> None:
    """One without a label belongs to another chart."""
    chart = render(folder)
    identity = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))["stackId"]
    install = ("install", NAME, str(chart), "--dry-run=server")
    namespace.apply(claim(namespace, {}))
    assert "has no label mlflow-compose.stack" in namespace.helm(*install, code=1).err
    namespace.apply(claim(namespace, {"mlflow-compose.stack": "0123456789abcdef"}))
    assert "has data of the stack 0123456789abcdef" in namespace.helm(*install, code=1).err
    namespace.apply(claim(namespace, {"mlflow-compose.stack": identity}))
    namespace.helm(*install)


def test_a_secret_must_lose_the_files_that_it_no_longer_has(
    namespace: Namespace, folder: Path
) -> None:
    """Without a login, its password is of no use in the cluster."""

    def applied(**settings: str) -> set[str]:
        file = render(folder, **settings) / SECRETS_FILE
        namespace.kubectl("apply", "--server-side", f"--filename={file}")
        return {*namespace.get("secret", "mlflow")["data"]}

    before = applied(MLFLOW_AUTH="basic")
    after = applied(MLFLOW_AUTH="none")
    assert after < before
