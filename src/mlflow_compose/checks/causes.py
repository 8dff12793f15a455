"""Turn findings into the broken link, as one sentence, and the next command."""

from collections.abc import Collection, Mapping, Sequence

from mlflow_compose.checks.inside import Link, check_links
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.stack import Cause, Stack, causes_of

# Causes that belong to no service; the kinds of services define the others.
GENERAL: Mapping[str, Cause] = {
    "nothing_runs": Cause("the stack is not running", "mlflow-compose up starts it"),
    "probe_failed": Cause(
        "the stack could not be checked from inside", "mlflow-compose logs mlflow shows more"
    ),
}
# In place of those about ports that services publish on this machine.
IN_CLUSTER: Mapping[str, Cause] = {
    "not_published": Cause(
        "MLflow works in the cluster, but kubectl port-forward does not reach it",
        "mlflow-compose status shows the command; try it by hand",
    ),
    "no_answer": Cause(
        "MLflow answers in the cluster, but not through kubectl port-forward",
        "run mlflow-compose verify again; the connection to the cluster may be slow",
    ),
}
WORKSPACES_OFF = "workspaces_off"
START_AGAIN = "mlflow-compose up starts it again"

# Causes before effects: MLflow needs its database and its bucket to answer.
ORDER = ("database", "bucket", "network", "isolation", "clean up", "probe")


def causes(stack: Stack) -> Mapping[str, Cause]:
    """Return every cause that the checks know, worded for the stack."""
    in_cluster = IN_CLUSTER if stack.site.namespace else {}
    return {**GENERAL, **causes_of(stack.stores), **in_cluster}


def external_database(engine: Engine) -> Cause | None:
    """Check an external database; return None if it works, or if the stack uses none."""
    stack = engine.stack
    if not stack.stores.runs.external:
        return None
    (link,) = check_links(engine, only=["database"])
    if not link.cause:
        return None
    cause = causes(stack)[link.cause]
    return Cause(f"{cause.sentence} ({link.detail})", cause.hint)


def hidden_workspaces(engine: Engine) -> Cause | None:
    """Return why a stack needs workspaces, None if no data is in any but the default one."""
    (link,) = check_links(engine, only=["database"], workspaces=False)
    cause = causes(engine.stack)[WORKSPACES_OFF]
    found = link.cause == WORKSPACES_OFF
    return Cause(f"{cause.sentence} ({link.detail})", cause.hint) if found else None


def first_cause(links: Sequence[Link], known: Mapping[str, Cause]) -> tuple[Link, Cause] | None:
    """Return the first broken link with its cause, None if all links work."""
    broken = sorted((link for link in links if link.cause), key=lambda link: ORDER.index(link.name))
    return (broken[0], known[broken[0].cause]) if broken else None


def diagnose(engine: Engine, *, links: Collection[str] = ORDER) -> Cause | None:
    """Return why a stack does not work, None if `links` work from inside."""
    known = causes(engine.stack)
    # Of several containers, one that runs is enough.
    statuses = sorted(engine.status(), key=lambda status: status.state == RUNNING)
    services = {status.name: status for status in statuses}
    if not any(status.state == RUNNING for status in services.values()):
        return known["nothing_runs"]
    found = first_cause([link for link in check_links(engine) if link.name in links], known)
    if found is None:
        return None
    link, cause = found
    server = services.get(cause.service)
    if server and server.state != RUNNING:
        return Cause(f"{cause.sentence}: {server.name} {server.text}", START_AGAIN)
    return Cause(f"{cause.sentence} ({link.detail})", cause.hint)
