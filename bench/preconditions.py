"""What must be true of this machine before stacks on Docker can be measured."""

import os
from pathlib import Path

from bench.commands import BenchError, run
from bench.processes import belongs

WITHOUT_DOCKER = 'make bench ARGS="--subjects local" measures the stack without Docker'


def check_linux() -> None:
    """Refuse systems without /proc."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise BenchError("the benchmark reads /proc/PID/smaps_rollup, which only Linux has")


def check_root(user: int | None = None) -> None:
    """Refuse an ordinary user, who may not see the memory of containers' processes."""
    if (os.geteuid() if user is None else user) != 0:
        raise BenchError(
            "measuring containers needs root, because their processes belong to other users\n"
            f"hint: sudo make bench; {WITHOUT_DOCKER}"
        )


def check_container(image: str) -> None:
    """Refuse a Docker engine whose processes are not those of this machine."""
    options = ("--detach", "--rm", "--entrypoint", "sleep")
    container = run("docker", "run", *options, image, "600").strip()
    try:
        check_process(container, int(run("docker", "inspect", "-f", "{{.State.Pid}}", container)))
    finally:
        run("docker", "rm", "--force", "--volumes", container)


def check_process(container: str, pid: int) -> None:
    """Refuse a process number that is not one of the container on this machine."""
    if not belongs(pid, container):
        raise BenchError(
            f"process {pid}, which Docker reports for container {container[:12]}, is not a process"
            " of that container on this machine: Docker runs in a virtual machine (Docker Desktop),"
            " on another host (DOCKER_HOST, docker context), or outside this container\n"
            f"hint: run it on the machine of the Docker engine; {WITHOUT_DOCKER}"
        )


def other_containers() -> int:
    """Return how many containers run on this machine."""
    return len(run("docker", "ps", "--quiet").split())
