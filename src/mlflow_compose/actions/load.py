"""`load`: provide what is in a bundle, on a machine without a network."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow_compose import __version__, machine
from mlflow_compose.actions.files import write_env_file
from mlflow_compose.actions.restore_into import NAME, project_name
from mlflow_compose.bundle import ImageFile, Manifest, WheelSet, opened
from mlflow_compose.bundle.image_names import check_names
from mlflow_compose.bundle.inside.install import PACKAGE_FILE, this_platform, this_python
from mlflow_compose.bundle.inside.sealed import Contents, Damaged, chunks
from mlflow_compose.bundle.manifest import damaged
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.engines import docker_problem, wheels_folder, write_wheels
from mlflow_compose.engines.docker import transfer
from mlflow_compose.errors import BundleError
from mlflow_compose.payloads import Loaded
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import new_env_text, without_secrets

IMAGES, WHEELS = "images", "wheels"
SUFFIX_BYTES = 2
IMAGE = re.compile(r"[a-z0-9][\w./:-]*", re.ASCII)
# The name that an image loses after it was loaded: it must not be that of another one.
TRANSPORT = re.compile(rf"{transfer.REPOSITORY}:\w+", re.ASCII)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was checked.

    Attributes:
        path: The file.
        contents: Where its files are.
        manifest: What is in it.
    """

    path: Path
    contents: Contents
    manifest: Manifest

    @property
    def here(self) -> tuple[WheelSet, ...]:
        """The wheels of services for this machine."""
        mine = (this_platform(), this_python())
        return tuple(
            each for each in self.manifest.sets if each.key and (each.platform, each.python) == mine
        )


def load(
    path: Path,
    env_file: Path,
    environ: Mapping[str, str],
    progress: Progress,
    *,
    parts: Collection[str] = (IMAGES, WHEELS),
) -> Result:
    """Provide the images and wheels of a bundle, and an env file if there is none.

    It can be repeated: what is there already is left alone.

    Args:
        path: The bundle.
        env_file: The stack's env file.
        environ: Environment, which may set the user's cache folder.
        progress: Receiver of progress.
        parts: What to provide: images, wheels.

    Raises:
        BundleError: It is damaged, of another version, or has nothing for this machine.
        EngineError: Docker cannot load an image.
        FilesError: The wheels cannot be written.
        EnvFileError: The env file cannot be written.
    """
    bundle = _opened(path, progress)
    usable, why_not = _usable_images(bundle) if IMAGES in parts else ((), "")
    sets = bundle.here if WHEELS in parts else ()
    if not usable and not sets:
        raise _unusable(bundle, why_not)
    if why_not:
        progress.note(f"the images were left out: {why_not}")
    try:
        for wheels in sets:
            _provide(bundle, wheels, machine.cache_folder(environ), progress)
        loaded = [name for image in usable for name in _load(bundle, image, progress)]
    except Damaged as error:
        raise damaged(path, error) from None
    is_new = not env_file.exists()
    if is_new:
        write_env_file(env_file, _env_text(bundle.manifest, usable, sets))
    services = sorted({each.name for each in sets})
    data = Loaded(loaded, services, str(env_file) if is_new else None)
    return Result(data, _lines(env_file, loaded, services, is_new=is_new))


def _opened(path: Path, progress: Progress) -> Bundle:
    rate = Rate()
    with progress.step(f"Checking {path.name}"):
        found = Bundle(path, *opened(path, lambda done: progress.detail(rate.text(done))))
    if found.manifest.tool != __version__:
        raise BundleError(
            f"{path} is of mlflow-compose {found.manifest.tool}, and this is {__version__}",
            hint=f"install the tool that is in it: tar -xf {path} install.pyz, then python3 "
            f"install.pyz {path}",
        )
    return found


def _usable_images(bundle: Bundle) -> tuple[tuple[ImageFile, ...], str]:
    """Return the images that Docker can load here, or why there are none."""
    found = bundle.manifest.images
    if not found:
        return (), ""
    if problem := docker_problem():
        return (), problem.message
    platform = transfer.containers_platform()
    if any(image.platform != platform for image in found):
        return (), f"they are for {found[0].platform}, and Docker runs {platform} here"
    return found, ""


def _unusable(bundle: Bundle, why_not: str) -> BundleError:
    sets = {(each.python, each.platform) for each in bundle.manifest.sets if each.key}
    machines = ", ".join(f"Python {python} on {platform}" for python, platform in sorted(sets))
    parts = [
        f"the wheels are for {machines}, and this is Python {this_python()} on {this_platform()}"
        if machines
        else "it has no wheels for a stack without Docker",
        f"the images cannot be used: {why_not}" if why_not else "it has no images",
    ]
    return BundleError(
        f"nothing in {bundle.path} fits this machine: {'; '.join(parts)}",
        hint="mlflow-compose bundle --platform --python makes one for other machines",
    )


def _provide(bundle: Bundle, wheels: WheelSet, cache: Path, progress: Progress) -> None:
    """Write the wheels of a service to where the local engine looks for them."""
    if not all(map(PACKAGE_FILE.fullmatch, wheels.wheels.values())) or not wheels.key.isalnum():
        raise Damaged("it contains wheels with unusual names")
    folder = wheels_folder(cache, wheels.key)
    if all((folder / name).is_file() for name in wheels.wheels.values()):
        return
    content = {
        name: chunks(bundle.path, bundle.contents, f"wheels/{sha256}")
        for sha256, name in wheels.wheels.items()
    }
    with progress.step(f"Unpacking {len(content)} wheels of {wheels.name}"):
        write_wheels(folder, content)


def _load(bundle: Bundle, image: ImageFile, progress: Progress) -> tuple[str, ...]:
    """Load an image into Docker; return the names that it got."""
    # Whatever a file says: it names no other image, and is no option of docker.
    if not all(map(IMAGE.fullmatch, image.names)) or not TRANSPORT.fullmatch(image.name):
        raise Damaged("it contains images with unusual names")
    if image.file not in bundle.contents.places:
        raise Damaged(f"it does not contain {image.file}")
    check_names(bundle.path, bundle.contents.places[image.file], image.name)
    content = partial(chunks, bundle.path, bundle.contents, image.file)
    with progress.step(f"Loading {', '.join(image.names)}"):
        return transfer.load_image(content, image.name, image.names)


def _env_text(manifest: Manifest, images: Sequence[ImageFile], wheels: Sequence[WheelSet]) -> str:
    """Return the text of a new env file: the bundle's settings, and new random secrets."""
    settings = dict(without_secrets(manifest.settings))
    if manifest.for_seats:
        settings[NAME] = project_name(f"{manifest.stack}-{secrets.token_hex(SUFFIX_BYTES)}")
    if manifest.images and not images:
        settings["STACK_ENGINE"] = "local"
    elif images and not wheels:
        settings["STACK_ENGINE"] = "docker"
    return new_env_text(settings, choice=secrets.choice)


def _lines(
    env_file: Path, loaded: Sequence[str], services: Sequence[str], *, is_new: bool
) -> Sequence[str]:
    return [
        *([f"images     {', '.join(loaded)}"] if loaded else []),
        *([f"wheels     {', '.join(services)}"] if services else []),
        f"created {env_file} with random secrets" if is_new else f"{env_file} was not changed",
        "Next       mlflow-compose up",
    ]
