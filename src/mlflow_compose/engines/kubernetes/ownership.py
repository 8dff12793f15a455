"""Make sure that what a stack would change in a namespace belongs to it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mlflow_compose.engines.kubernetes.availability import problem
from mlflow_compose.engines.kubernetes.cluster import STACK_LABEL, TIMEOUT, Cluster
from mlflow_compose.errors import EngineError
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.stack import Stack, chart

CHART = "mlflow-compose-"
NOT_FOUND = "release: not found"
CLAIM = "PersistentVolumeClaim"
KINDS = "deployments,statefulsets,services,secrets,persistentvolumeclaims"
ESCAPED = STACK_LABEL.replace(".", r"\.")
# Not whole objects: those of Secrets are not needed.
COLUMNS = f'{{.kind}}{{"\\t"}}{{.metadata.name}}{{"\\t"}}{{.metadata.labels.{ESCAPED}}}{{"\\n"}}'
OTHER = "set KUBE_NAMESPACE in .env to another namespace"
TAKE_OVER = (
    f"if this folder is that stack, restored or without its {STATE_DIR}: write that id into "
    f"{STATE_DIR}/id; otherwise {OTHER}"
)


@dataclass(frozen=True)
class Item:
    """An object in the namespace.

    Attributes:
        kind: Its kind.
        name: Its name.
        identity: Stack id that it carries, empty for none.
    """

    kind: str
    name: str
    identity: str


@dataclass(frozen=True)
class Release:
    """A release of Helm.

    Attributes:
        chart: Name and version of its chart.
        status: Helm's word for its state.
        revision: Number of its last change.
    """

    chart: str
    status: str
    revision: int


def look(cluster: Cluster) -> tuple[Item, ...]:
    """Return what is in the namespace of a stack, without what Secrets contain.

    Raises:
        EngineError: The cluster does not answer, or refuses.
    """
    template = f"{{range .items[*]}}{COLUMNS}{{end}}"
    command = cluster.kubectl("get", KINDS, f"--output=jsonpath={template}", TIMEOUT)
    outcome = cluster.call(command)
    if outcome.exit_code:
        raise problem(cluster.place, outcome)
    rows = (line.split("\t") for line in outcome.stdout.decode().splitlines() if line)
    return tuple(Item(*row) for row in rows)


def release(cluster: Cluster) -> Release | None:
    """Return the release of a stack, None if nothing is installed under its name.

    Not from `helm list`: whether it has releases that are being changed depends on its version.

    Raises:
        EngineError: helm cannot tell.
    """
    command = cluster.helm("history", cluster.place.release, "--max=1", "--output=json")
    outcome = cluster.call(command)
    if outcome.exit_code and NOT_FOUND in outcome.stderr:
        return None
    if outcome.exit_code:
        raise cluster.failed(command, outcome)
    (last,) = json.loads(outcome.stdout)
    return Release(last["chart"], last["status"], int(last["revision"]))


def check(cluster: Cluster, items: tuple[Item, ...], found: Release | None) -> None:
    """Make sure that nothing in the namespace is another stack's.

    Raises:
        EngineError: Something is; nothing was changed.
    """
    stack, name = cluster.stack, cluster.place.name
    own = {*_own(stack)}
    for item in items:
        if item.identity not in {"", stack.identity}:
            raise EngineError(
                f"the namespace {name} holds another stack (id {item.identity}, its {item.kind} "
                f"{item.name}), and a namespace has room for one",
                hint=TAKE_OVER if item.kind == CLAIM else OTHER,
            )
        if not item.identity and (item.kind, item.name) in own:
            raise EngineError(
                f"the {item.kind} {item.name} already exists in the namespace {name} and does not "
                f"belong to this stack: it has no label {STACK_LABEL}",
                hint=OTHER,
            )
    if found:
        _check_release(cluster, found)


def _check_release(cluster: Cluster, found: Release) -> None:
    place = cluster.place
    if not found.chart.startswith(CHART):
        raise EngineError(
            f"the release {place.release} in the namespace {place.name} is of another chart "
            f"({found.chart})",
            hint=f"{OTHER}, or COMPOSE_PROJECT_NAME to another name",
        )
    command = cluster.helm("get", "values", place.release, "--all", "--output=json")
    identity = json.loads(cluster.do(command)).get("stackId", "")
    if identity != cluster.stack.identity:
        raise EngineError(
            f"the release {place.release} in the namespace {place.name} is another stack's "
            f"(id {identity})",
            hint=OTHER,
        )


def claims(items: tuple[Item, ...], identity: str) -> tuple[str, ...]:
    """Return the names of the volume claims that carry a stack's id."""
    found = (item.name for item in items if item.kind == CLAIM and item.identity == identity)
    return tuple(sorted(found))


def _own(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield kind and name of everything that a stack creates, if it has been looked for."""
    values = chart(stack)
    yield from (("Deployment", "mlflow"), ("Service", "mlflow"))
    for server in (values.postgres, values.s3):
        if server:
            name = server.service.name
            yield from (("StatefulSet", name), ("Service", name), (CLAIM, f"{name}-data"))
    yield from (("Secret", name) for name in values.secrets)
    if values.login:
        yield "Secret", values.login.secret
