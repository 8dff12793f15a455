"""What pgAdmin runs from: an image, or a folder with installed packages."""

import re
from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.stack.image import Image, build_secrets, environment_folder, image_name
from mlflow_compose.stack.service import Build
from mlflow_compose.stack.site import Machine

# Packages of pure Python that are only published as sources.
SOURCES = ("flask-principal", "jsonformatter")


def container_image(settings: Settings, lock: str, sources: Mapping[str, str], home: str) -> Image:
    """Return the image of pgAdmin's container.

    Args:
        settings: Validated settings.
        lock: Requirements that pin every package.
        sources: Texts that go into the image, by file name.
        home: The env file's folder, relative to the rendered files.
    """
    build = _build(settings, lock, home)
    return Image(image_name("mlflow_pgadmin", _version(lock), build, sources), build)


def package_folder(settings: Settings, lock: str, home: str, machine: Machine) -> Image:
    """Return the folder that replaces the image of a stack without containers."""
    build = _build(settings, lock, home)
    build = replace(build, install_options=("--compile-bytecode", *build.install_options))
    return Image(environment_folder("pgadmin", _version(lock), build, machine), build)


def _version(lock: str) -> str:
    found = re.search(r"^pgadmin4==([0-9.]+)", lock, re.MULTILINE)
    return found[1] if found else "unknown"


def _build(settings: Settings, lock: str, home: str) -> Build:
    built = (option for name in SOURCES for option in ("--no-binary", name))
    return Build(
        context="./pgadmin",
        base=settings.python_image,
        requirements=lock,
        install_options=("--only-binary", ":all:", *built, "--require-hashes"),
        contents="pgAdmin",
        secrets=build_secrets(settings, home),
    )
