"""Images of the stacks: from the environment, otherwise CI's stand-ins, otherwise the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from .tool import CHECKOUT, run

NAMES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE")
STAND_INS = CHECKOUT / ".ci" / "images.env"


def known_images() -> Mapping[str, str]:
    """Return the images that the environment or CI sets, by variable."""
    written = dotenv_values(STAND_INS) if STAND_INS.is_file() else {}
    return {
        **{name: value for name, value in written.items() if value},
        **{name: value for name, value in os.environ.items() if name.endswith("_IMAGE") and value},
    }


def image_settings(s3_provider: str = "minio") -> dict[str, str]:
    """Return the image settings that differ from the product's defaults."""
    known = dict(known_images())
    if s3_provider != "minio":
        known["MINIO_IMAGE"] = known.get(f"CI_{s3_provider.upper()}_IMAGE", "")
    return {name: known[name] for name in NAMES if known.get(name)}


def build_mlflow(compose_folder: Path) -> str:
    """Build the image of MLflow of a rendered stack, unless Docker has it; return its name.

    Compose writes the project's name into an image, so another build would get another id, and the
    next `up` of every stack that uses the image would recreate its container.
    """
    images = run("docker", "compose", "config", "--images", "mlflow", folder=compose_folder)
    name = next(each for each in images.out.split() if each.startswith("mlflow_server:"))
    if not run("docker", "image", "ls", "--quiet", name).out:
        run("docker", "compose", "build", "--quiet", "mlflow", folder=compose_folder)
    return name
