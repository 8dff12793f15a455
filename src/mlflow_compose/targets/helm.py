"""Helm: a chart for a Kubernetes cluster. Only its values depend on the stack."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.errors import UsageError
from mlflow_compose.paths import VALUES_FILE
from mlflow_compose.settings import Settings
from mlflow_compose.stack import KUBERNETES, Image, Site, chart, helm_site
from mlflow_compose.targets.compose import COMPOSE
from mlflow_compose.targets.target import GetMachine, Target, Texts

NAME = "helm"
# Settings without an effect in a cluster, with the values that they have there: addresses, ports
# and folders of this machine, TLS, which an Ingress or a Gateway has, and services that are not
# part of the chart.
WITHOUT: Mapping[str, object] = {
    "stack_bind_address": "127.0.0.1",
    "stack_tls": "off",
    "pg_publish": False,
    "minio_volume_path": "",
    "jupyter": False,
    "pgadmin": False,
    "stack_models": "",
    "class_seats": "",
}

# What frees garbage, and the protocol that it reports in.
COLLECTOR = (
    *(f"engines/inside/{name}.py" for name in ("answer", "s3", "schema")),
    *(
        f"data/inside/{name}.py"
        for name in (
            *("tables", "layout", "listing", "owners"),
            *("fates", "survey", "freeing", "collect"),
        )
    ),
)
# What takes snapshots: their format, which this tool reads, and what it is made of.
SNAPSHOTS = (
    *(f"errors/{name}.py" for name in ("__init__", "base", "data", "services")),
    *("clients/bucket.py", "data/parallel.py", "engines/answers.py"),
    *(f"engines/inside/{name}.py" for name in ("answer", "s3", "schema")),
    *(f"data/inside/{name}.py" for name in ("mlflow_tables", "own_tables", "shared", "tables")),
    *(
        f"data/backup/{name}.py"
        for name in (
            *("contents", "dumped", "fingerprint", "in_bucket", "manifest"),
            *("objects", "rate", "rows", "snapshot", "sums"),
        )
    ),
)


def _site(settings: Settings, _: GetMachine) -> Site:
    for name, value, needed in (
        ("BACKEND_STORE", settings.backend_store, "postgres"),
        ("ARTIFACT_STORE", settings.artifact_store, "s3"),
    ):
        if value != needed:
            raise UsageError(
                f"{name} must be {needed} in a Kubernetes cluster, where pods share no files, got "
                f"{value}",
                hint=f"set {name}={needed} in .env; mlflow-compose migrate-store moves the data",
            )
    return helm_site(settings)


def _image(settings: Settings, texts: Texts, home: str, machine: GetMachine) -> Image:
    image = COMPOSE.image(settings, texts, home, machine)
    if image.build and settings.stack_registry:
        return replace(image, name=f"{settings.stack_registry}/{image.name}")
    return image


def _images(*_: object) -> Mapping[str, Image]:
    return {}


HELM = Target(
    name=NAME,
    engine=KUBERNETES,
    folder=NAME,
    site=_site,
    image=_image,
    images=_images,
    ingredients=COMPOSE.ingredients,
    # Only read by kubectl.
    secret_mode=0o600,
    override=VALUES_FILE,
    embeds_files=True,
    without=WITHOUT,
    values=lambda stack: {"chart": chart(stack)},
    copies={"files/bucket-init": "compose/bucket-init"},
    recipe=COMPOSE,
    places=("kube_context", "kube_namespace"),
    modules={"files/gc": COLLECTOR, "files/backup": SNAPSHOTS},
)
