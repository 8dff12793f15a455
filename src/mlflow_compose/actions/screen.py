"""What `up` and `status` show."""

import shlex
from collections import Counter
from collections.abc import Sequence

from mlflow_compose.engines import Access, ServiceStatus
from mlflow_compose.engines.base import EXITED, RUNNING
from mlflow_compose.stack import Stack

NEXT = "Next       mlflow-compose status, logs, verify, down"
NOTHING_RUNS = "nothing is running; mlflow-compose up starts the stack"
# As a shell's word.
FIRST_RUN = """'import mlflow; mlflow.log_metric("loss", 0.5)'"""


def where(stack: Stack, access: Access) -> list[str]:
    """Return the stack's URLs and stores as lines."""
    stores = stack.stores
    seats = {seat.name for seat in stack.seats}
    urls = {name: url for name, url in access.urls.items() if name not in seats}
    found = {port.label: urls[port.name] for port in stack.opened if port.name in urls}
    if access.command:
        found |= {"": f"while this runs: {shlex.join(access.command)}"}
    if seats:
        found |= {"Seats": f"{len(seats)}, which mlflow-compose class status lists"}
    if stack.jupyter_token:
        found |= {"Token": "the value of JUPYTER_TOKEN, which Jupyter's page asks for"}
    if stack.pgadmin_login:
        found |= {
            "Login": f"{stack.pgadmin_login[0]} with the value of PGADMIN_PASSWORD, in pgAdmin"
        }
    found |= {"Runs": stores.runs.text, "Artifacts": stores.artifacts.text}
    return [f"{name:<10} {text}" for name, text in found.items()]


def first_run(stack: Stack, access: Access) -> list[str]:
    """Return what a newcomer pastes into a shell to see a first run."""
    secrets = " --secrets" if stack.login else ""
    return [
        "",
        "To log a run and look at it, paste these lines:",
        "",
        "  pip install mlflow-skinny",
        *([f"  {shlex.join(access.command)} &"] if access.command else []),
        f'  eval "$(mlflow-compose env{secrets})" && python3 -c {FIRST_RUN}',
        "  mlflow-compose open",
    ]


def missing_replicas(stack: Stack, found: Sequence[ServiceStatus]) -> list[str]:
    """Return a line about each service of which fewer containers run than the settings say.

    In a cluster, there is one status for all pods of a service: that of the worst.
    """
    if stack.site.distributes:
        return []
    running = Counter(status.name for status in found if status.state == RUNNING)
    return [
        f"{running[service.name]} of {service.replicas} containers of {service.name} are running; "
        "mlflow-compose up starts the others"
        for service in stack.services
        if service.replicas > 1 and running[service.name] < service.replicas
    ]


def status_lines(found: Sequence[ServiceStatus], stack: Stack) -> list[str]:
    """Return the states of services as lines, and which containers are missing."""
    return [*(status_line(each, stack) for each in found), *missing_replicas(stack, found)]


def status_line(service: ServiceStatus, stack: Stack) -> str:
    """Return the state of a service as a line."""
    done = stack.service(service.name).one_shot and service.state == EXITED
    text = "done" if done and not service.exit_code else service.text
    text += f" since {service.since.astimezone():%Y-%m-%d %H:%M:%S}" if service.since else ""
    if service.restarts:
        text += f" after {service.restarts} restart{'s' if service.restarts > 1 else ''}"
    return f"{service.label:<12} {text:<43} {', '.join(service.ports)}".rstrip()
