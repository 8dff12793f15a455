"""The images of a bundle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.actions.files import render
from mlflow_compose.actions.plan import Plan
from mlflow_compose.bundle import ImageFile, Part, Target
from mlflow_compose.bundle.parts import IMAGES
from mlflow_compose.engines import Engine
from mlflow_compose.engines.docker import transfer
from mlflow_compose.errors import UsageError
from mlflow_compose.result import Progress

S3 = "s3"
DIGITS = 12


@dataclass(frozen=True)
class Images:
    """The images of a bundle.

    Attributes:
        files: The images.
        parts: Their files.
        settings: Settings of images that have another name after loading.
    """

    files: tuple[ImageFile, ...] = ()
    parts: tuple[Part, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def save_images(plan: Plan, engine: Engine, folder: Path, progress: Progress) -> Images:
    """Pull and build the images of a stack, and write them into files.

    Args:
        plan: The stack.
        engine: Its Docker engine.
        folder: Folder of parts; images that are there already are not written again.
        progress: Receiver of progress.

    Raises:
        EngineError: An image cannot be provided.
    """
    platform = transfer.containers_platform()
    render(plan, plan.folder)
    engine.prepare(progress)
    stack = plan.stack
    names: dict[str, list[str]] = {}
    for image in sorted({service.image for service in stack.defined}):
        names.setdefault(transfer.transport_name(image), []).append(image)
    files, parts = [], []
    for name, images in names.items():
        file = f"{IMAGES}/{name.partition(':')[2]}.tar"
        _save(images[0], name, folder / file, progress)
        part = Part(file, folder / file)
        loaded = tuple(dict.fromkeys(map(loadable_name, images)))
        files.append(ImageFile(part.name, name, loaded, platform))
        parts.append(part)
    return Images(tuple(files), tuple(parts), dict(_renamed(plan)))


def _renamed(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the settings of images whose names differ after loading, with the new names."""
    settings, stack = plan.loaded.settings, plan.stack
    named = {
        "MLFLOW_IMAGE": settings.mlflow_image,
        "POSTGRES_IMAGE": settings.postgres_image,
        # Without a setting, it is that of the provider.
        "MINIO_IMAGE": stack.service(S3).image if stack.has(S3) else "",
    }
    for setting, image in named.items():
        if (name := loadable_name(image)) != image:
            yield setting, name


def loadable_name(image: str) -> str:
    """Return the name of an image after it was loaded: Docker then knows no digest of it."""
    name, at, digest = image.partition("@")
    if not at:
        return image
    has_tag = ":" in name.rpartition("/")[2]
    return name if has_tag else f"{name}:{digest.rpartition(':')[2][:DIGITS]}"


def _save(image: str, name: str, path: Path, progress: Progress) -> None:
    if not path.exists():
        with progress.step(f"Saving {image}"):
            transfer.save_image(image, name, path)


def check_images(engine: Engine, targets: Sequence[Target]) -> None:
    """Make sure that the images of this machine's Docker run on other machines.

    Raises:
        EngineError: Docker cannot be used.
        UsageError: They need images of another platform.
    """
    engine.check()
    platform = transfer.containers_platform()
    for target in targets:
        wanted = f"linux/{target.platform.partition('/')[2]}"
        if wanted != platform:
            raise UsageError(
                f"Docker on this machine has images for {platform}, and {target.platform} needs "
                f"{wanted}",
                hint="run mlflow-compose bundle on such a machine, or add --engine local",
            )
