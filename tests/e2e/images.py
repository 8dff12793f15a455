"""The images that stacks are made of: the environment's, else CI's stand-ins, else the defaults."""

import os
from collections.abc import Mapping

from dotenv import dotenv_values

from .tool import CHECKOUT

NAMES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "MINIO_IMAGE")
STAND_INS = CHECKOUT / ".ci" / "images.env"


def known_images() -> Mapping[str, str]:
    """Return everything that the environment or CI names, by variable."""
    written = dotenv_values(STAND_INS) if STAND_INS.is_file() else {}
    return {
        **{name: value for name, value in written.items() if value},
        **{name: value for name, value in os.environ.items() if name.endswith("_IMAGE") and value},
    }


def image_settings() -> dict[str, str]:
    """Return the settings that name images, where they are not the product's defaults."""
    known = known_images()
    return {name: known[name] for name in NAMES if name in known}
