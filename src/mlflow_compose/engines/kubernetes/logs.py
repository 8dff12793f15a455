"""The logs of the pods of a stack."""

import re
from collections.abc import Iterator, Sequence

from mlflow_compose.engines.kubernetes.cluster import SERVICE_LABEL, Cluster

# As kubectl names the origin of a line: `[pod/NAME/CONTAINER] `.
PREFIX = re.compile(r"\[pod/([^/\]]+)/([^\]]+)\] ?")
SHOWN_LINES = 12
# Pods that kubectl follows at a time; its own default is 5.
MOST_PODS = 50


def read(
    cluster: Cluster, services: Sequence[str], *, follow: bool, tail: int | None
) -> Iterator[str]:
    """Yield log lines of the pods of services, of all services if none is named."""
    named = f",{SERVICE_LABEL} in ({','.join(services)})" if services else ""
    command = cluster.kubectl(
        "logs",
        f"{cluster.selector}{named}",
        "--all-containers",
        # Of containers that have not started yet.
        "--ignore-errors",
        "--prefix",
        f"--tail={-1 if tail is None else tail}",
        f"--max-log-requests={MOST_PODS}",
        *(["--follow"] if follow else []),
    )
    for line in cluster.lines(command):
        yield PREFIX.sub(_origin, line, count=1)


def last_lines(cluster: Cluster, pod: str, container: str) -> list[str]:
    """Return the last lines of a container, or of its last attempt if it is to be restarted."""
    if not pod:
        return []
    options = (pod, f"--container={container}", f"--tail={SHOWN_LINES}")
    for more in ((), ("--previous",)):
        outcome = cluster.call(cluster.kubectl("logs", *options, *more))
        lines = cluster.stack.mask(outcome.stdout.decode(errors="replace")).splitlines()
        if not outcome.exit_code and lines:
            return lines
    return []


def _origin(found: re.Match[str]) -> str:
    pod, container = found.groups()
    # The main container is called like its service, with which the name of the pod begins.
    return f"{pod} | " if pod.startswith(container) else f"{pod} {container} | "
