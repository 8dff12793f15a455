"""What pgAdmin runs from: an image, or a folder with installed packages."""

import re
from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.stack.image import Image, build_secrets, digest
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
    files = (f"{name}\0{text}" for name, text in sorted(sources.items()))
    name = digest((build.base, *_inputs(build), str(build.user), *files))
    return Image(f"mlflow_pgadmin:{_version(lock)}-{name}", build)


def package_folder(settings: Settings, lock: str, home: str, machine: Machine) -> Image:
    """Return the folder that replaces the image of a stack without containers."""
    build = _build(settings, lock, home)
    build = replace(build, install_options=("--compile-bytecode", *build.install_options))
    name = digest((machine.python, *_inputs(build)))
    return Image(f"{machine.cache}/pgadmin-{_version(lock)}-{name}", build)


def _inputs(build: Build) -> tuple[str, ...]:
    return (build.requirements, *build.install_options)


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
