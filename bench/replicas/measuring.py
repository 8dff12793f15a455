"""Measures one stack: throughput and memory of its tracking servers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.commands import run
from bench.docker import SERVICE_LABEL, OurStack, containers
from bench.images import base_images
from bench.load import Api, many_clients, one_client
from bench.measuring import Progress
from bench.preconditions import check_process
from bench.processes import pss

# Settings by subject; the first one is what the others are compared with.
SUBJECTS: Mapping[str, Mapping[str, str]] = {
    "1 server": {},
    "1 server with 4 processes": {"MLFLOW_WORKERS": "4"},
    "2 servers": {"MLFLOW_REPLICAS": "2"},
    "4 servers": {"MLFLOW_REPLICAS": "4"},
}


@contextmanager
def running(subject: str, folder: Path, progress: Progress) -> Iterator[OurStack]:
    """Provide a stack that runs, and remove it."""
    settings = {**base_images(), "MLFLOW_AUTH": "basic", **SUBJECTS[subject]}
    stack = OurStack("replicas", settings, folder)
    progress(f"{subject}: preparing")
    stack.prepare()
    try:
        progress(f"{subject}: starting")
        stack.up()
        yield stack
    finally:
        stack.down()


def measured(stack: OurStack) -> Mapping[str, float]:
    """Return the figures of a stack."""
    api = Api(stack.url, stack.login)
    return {
        "one": one_client(api),
        "many": many_clients(api),
        "memory": pss(first_processes(stack.project)),
    }


def first_processes(project: str) -> list[int]:
    """Return the first process of each tracking server."""
    form = "{{.State.Pid}} {{.Id}}"
    found = containers(project, f"label={SERVICE_LABEL}=mlflow")
    pids = []
    for line in run("docker", "inspect", "--format", form, *found).splitlines():
        pid, container = line.split()
        check_process(container, int(pid))
        pids.append(int(pid))
    return pids
