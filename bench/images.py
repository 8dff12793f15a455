"""Images: the one of the plain stack, sizes, and how long a build of ours takes."""

import hashlib
import os
from pathlib import Path

from bench.commands import IMAGES, CommandError, run, seconds
from bench.processes import MEBIBYTE
from mlflow_compose.settings.server import PINNED_MLFLOW
from mlflow_compose.stack import PROVIDERS

ROOT = Path(__file__).parents[1]
PLAIN = ROOT / "bench" / "plain"


def base_images() -> dict[str, str]:
    """Return the images of all stacks: from the environment, otherwise the defaults."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    defaults = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    defaults["MINIO_IMAGE"] = PROVIDERS["minio"].image
    return {name: os.environ.get(name, defaults[name]) for name in IMAGES}


def plain_image(python: str) -> str:
    """Return the name of the plain stack's image: another one for another base or Dockerfile."""
    content = python + (PLAIN / "Dockerfile").read_text(encoding="utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"mlflow-compose-bench-plain:{PINNED_MLFLOW}-{digest[:12]}"


def build_plain(python: str) -> None:
    """Build the image of the plain stack if there is none for this version of MLflow and base."""
    image = plain_image(python)
    if exists(image):
        return
    index = "--secret=id=pip_index_url,env=PIP_INDEX_URL"
    run(
        "docker",
        "build",
        f"--tag={image}",
        f"--build-arg=PYTHON_IMAGE={python}",
        f"--build-arg=MLFLOW_VERSION={PINNED_MLFLOW}",
        *((index,) if os.environ.get("PIP_INDEX_URL") else ()),
        str(PLAIN),
        environ={"DOCKER_BUILDKIT": "1"},
    )


def exists(image: str) -> bool:
    """Return whether this machine has an image."""
    try:
        run("docker", "image", "inspect", image)
    except CommandError:
        return False
    return True


def size(image: str) -> float:
    """Return the size of an image in MB."""
    return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image)) / MEBIBYTE


def build_seconds(folder: Path) -> float:
    """Return how long a build of our image takes without the layers of earlier ones.

    The image gets a name of its own: other stacks may use the one that the settings name.
    """
    image = f"mlflow-compose-bench-build:{os.getpid()}"
    override = folder / "build.yaml"
    override.write_text(f"services: {{mlflow: {{image: '{image}'}}}}\n", encoding="utf-8")
    files = ("--file", str(folder / "compose" / "docker-compose.yaml"), "--file", str(override))
    options = ("--project-directory", str(folder / "compose"))
    try:
        return seconds(
            lambda: run("docker", "compose", *options, *files, "build", "--no-cache", "mlflow")
        )
    finally:
        if exists(image):
            run("docker", "image", "rm", image)
