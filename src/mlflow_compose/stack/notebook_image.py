"""What JupyterLab runs from: an image, or a folder with installed packages."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.settings.server import PINNED_MLFLOW
from mlflow_compose.stack.image import (
    Image,
    build_secrets,
    environment_folder,
    image_name,
    unpinned,
)
from mlflow_compose.stack.service import Build
from mlflow_compose.stack.site import Machine

# The packages in requirements/jupyter.in besides MLflow's client.
ADDED = (
    *("jupyterlab", "ipykernel", "pip", "boto3"),
    *("matplotlib", "pandas", "scikit-learn", "skops"),
)


def container_image(settings: Settings, lock: str, sources: Mapping[str, str], home: str) -> Image:
    """Return the image of JupyterLab's container.

    Args:
        settings: Validated settings.
        lock: Requirements that pin every package.
        sources: Texts that go into the image, by file name.
        home: The env file's folder, relative to the rendered files.
    """
    build = _build(settings, lock, home)
    return Image(image_name("mlflow_jupyter", settings.mlflow_version, build, sources), build)


def package_folder(settings: Settings, lock: str, home: str, machine: Machine) -> Image:
    """Return the folder that replaces the image of a stack without containers."""
    build = _build(settings, lock, home)
    build = replace(build, install_options=("--compile-bytecode", *build.install_options))
    return Image(environment_folder("jupyter", settings.mlflow_version, build, machine), build)


def _build(settings: Settings, lock: str, home: str) -> Build:
    pinned = settings.mlflow_version == PINNED_MLFLOW
    client = f"mlflow-skinny=={settings.mlflow_version}"
    return Build(
        context="./jupyter",
        base=settings.python_image,
        requirements=lock if pinned else unpinned(client, ADDED, lock),
        install_options=("--only-binary", ":all:", *(("--require-hashes",) if pinned else ())),
        contents="JupyterLab",
        packages=tuple(settings.jupyter_packages.split()),
        secrets=build_secrets(settings, home),
    )
