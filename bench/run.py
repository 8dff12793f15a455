"""Compare this stack with a plain one: the same images and the same load, one after the other.

PYTHON_IMAGE, POSTGRES_IMAGE and MINIO_IMAGE in the environment replace the default images.
Everything that is started is removed at the end.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from local import measure_local
from measure import MEBIBYTE, free_ports, median, pss, run, seconds, tool
from mlflow_compose.stack import PROVIDERS

ROOT = Path(__file__).parents[1]
PLAIN = ROOT / "bench" / "plain" / "docker-compose.yaml"
METRICS = 200
IMAGES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE")


@dataclass(frozen=True)
class Figures:
    """The figures of one stack, in seconds, bytes and requests per second."""

    cold_up: float
    second_up: float
    memory: int
    mlflow_memory: int
    metrics: float


def main() -> None:
    """Measure and print the figures side by side."""
    print(f"--help   {median(lambda: tool('--help')):6.2f} s   (wanted: under 0.3)")
    with tempfile.TemporaryDirectory(prefix="mlflow-compose-bench-") as folder:
        measure_local(Path(folder))
    if shutil.which("docker") is None:
        sys.exit("the docker command is missing, so the comparison is skipped")
    with tempfile.TemporaryDirectory(prefix="mlflow-compose-bench-") as folder:
        ours, image = measure_ours(Path(folder))
    plain = measure_plain(image)
    print(f"\n{'Docker':<34}{'plain':>10}{'ours':>10}{'ratio':>8}")
    row("cold up, images present", plain.cold_up, ours.cold_up, "s", "   (wanted: 1.7)")
    row("second up", plain.second_up, ours.second_up, "s")
    row("memory (PSS), all services", plain.memory, ours.memory, "MB", "   (wanted: 2.5)")
    row("memory (PSS), mlflow", plain.mlflow_memory, ours.mlflow_memory, "MB")
    row("log-metric, one client", plain.metrics, ours.metrics, "/s")


def measure_ours(folder: Path) -> tuple[Figures, str]:
    """Measure the stack of this project; also return the name of the MLflow image."""
    port, s3, console = free_ports(3)
    name = f"bench-ours-{os.getpid()}"
    given = {
        "COMPOSE_PROJECT_NAME": name,
        "MLFLOW_PORT": port,
        "MINIO_PORT": s3,
        "MINIO_CONSOLE_ADDRESS": f":{console}",
        **{variable: os.environ[variable] for variable in IMAGES if variable in os.environ},
    }
    env = ("--env-file", str(folder / ".env"))
    settings = [f"--set={name}={value}" for name, value in given.items()]
    tool(*env, "init", *settings)
    print(f"render   {median(lambda: tool(*env, 'render')):6.2f} s   (wanted: under 0.6)")
    compose = ("docker", "compose", "--project-directory", str(folder / "compose"))
    # Build and pull before measuring; build first, because bucket-init uses the built image.
    run(*compose, "build")
    run(*compose, "pull", "--ignore-buildable", "--policy", "missing")
    try:
        figures = measure(
            up=lambda: tool(*env, "up", "--no-verify"),
            url=f"http://127.0.0.1:{port}",
            project=name,
        )
    finally:
        tool(*env, "down", "--volumes", "--yes")
    images = run(*compose, "config", "--images").split()
    return figures, next(image for image in images if image.startswith("mlflow_server"))


def measure_plain(mlflow_image: str) -> Figures:
    """Measure the plain stack with the same images."""
    (port,) = free_ports(1)
    name = f"bench-plain-{os.getpid()}"
    environ = {
        "POSTGRES_IMAGE": default_of("POSTGRES_IMAGE"),
        "MINIO_IMAGE": PROVIDERS["minio"].image,
        **os.environ,
        "MLFLOW_IMAGE": mlflow_image,
        "PORT": str(port),
    }
    compose = ("docker", "compose", "--file", str(PLAIN), "--project-name", name)
    try:
        return measure(
            up=lambda: run(*compose, "up", "--detach", "--wait", environ=environ),
            url=f"http://127.0.0.1:{port}",
            project=name,
        )
    finally:
        run(*compose, "down", "--volumes", environ=environ)


def measure(up: Callable[[], object], url: str, project: str) -> Figures:
    """Return the figures of a stack that `up` starts."""
    cold, second = seconds(up), seconds(up)
    rate = log_metrics(url)
    memory = dict(pss_of_containers(project))
    return Figures(cold, second, sum(memory.values()), memory["mlflow"], rate)


def log_metrics(url: str) -> float:
    """Return how many metrics per second one client logs."""
    api = f"{url}/api/2.0/mlflow"
    with requests.Session() as session:
        session.trust_env = False
        made = session.post(f"{api}/runs/create", json={"experiment_id": "0"}, timeout=60)
        run_id = made.json()["run"]["info"]["run_id"]
        start = time.perf_counter()
        for step in range(METRICS):
            body = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 0, "step": step}
            session.post(f"{api}/runs/log-metric", json=body, timeout=60).raise_for_status()
        return METRICS / (time.perf_counter() - start)


def pss_of_containers(project: str) -> Iterator[tuple[str, int]]:
    """Yield each service with its memory in bytes (PSS: shared pages count once)."""
    label = f"com.docker.compose.project={project}"
    for container in run("docker", "ps", "--quiet", "--filter", f"label={label}").split():
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Pid}}'
        service, pid = run("docker", "inspect", "--format", form, container).split()
        first = psutil.Process(int(pid))
        yield service, pss([first, *first.children(recursive=True)])


def row(what: str, plain: float, ours: float, unit: str, wanted: str = "") -> None:
    """Print one figure of both stacks, and how many times better ours is."""
    ratio = ours / plain if unit == "/s" else plain / ours
    scale = MEBIBYTE if unit == "MB" else 1
    left, right = (f"{value / scale:.1f} {unit}" for value in (plain, ours))
    print(f"{what:<34}{left:>10}{right:>10}{ratio:>8.1f}{wanted}")


def default_of(variable: str) -> str:
    """Return the default of a setting from `.env.example`."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{variable}="))


if __name__ == "__main__":
    main()
