"""The manifest of a bundle: what is in it, and for which machines."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlflow_compose.bundle.inside.sealed import FORMAT, Contents, Damaged, check
from mlflow_compose.engines import RemoteError, shaped
from mlflow_compose.errors import BundleError

HINT = "copy the file again, and compare its digest with the one that mlflow-compose bundle printed"


@dataclass(frozen=True)
class ImageFile:
    """An image of Docker.

    Attributes:
        file: Its file in the bundle, as `docker save` writes it.
        name: Name in that file, which no other image has.
        names: Names by which the stack's services know it.
        platform: Its platform, such as linux/amd64.
    """

    file: str
    name: str
    names: tuple[str, ...]
    platform: str


@dataclass(frozen=True)
class WheelSet:
    """The wheels that are installed together, for one platform and version of Python.

    Attributes:
        name: tool, client, or a service that runs without Docker.
        key: Key of the service's packages, empty for tool and client.
        platform: Platform, such as linux/amd64.
        python: Version of Python, such as 3.13.
        wheels: Names of the wheels by their SHA-256.
    """

    name: str
    key: str
    platform: str
    python: str
    wheels: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle.

    Attributes:
        tool: Version of this tool.
        created: Time at which it was made (ISO 8601).
        stack: Compose project name of the stack that it was made from.
        for_seats: Whether each stack that it becomes gets a name of its own.
        settings: Settings that are set and are not secret, by variable.
        images: The images.
        sets: The wheels.
    """

    tool: str
    created: str
    stack: str
    for_seats: bool
    settings: Mapping[str, str]
    images: tuple[ImageFile, ...]
    sets: tuple[WheelSet, ...]

    def data(self, files: list[dict[str, object]]) -> dict[str, Any]:
        """Return it as JSON values, with the format and with all files of the bundle."""
        return {"format": FORMAT, **asdict(self), "files": files}


def opened(path: Path, seen: Callable[[int], None]) -> tuple[Contents, Manifest]:
    """Check every byte of a bundle, and return what is in it.

    Args:
        path: The bundle.
        seen: Called with the number of bytes that were read so far.

    Raises:
        BundleError: It cannot be read, or is damaged.
    """
    try:
        contents = check(path, seen)
        fields = {name: contents.manifest.get(name) for name in Manifest.__dataclass_fields__}
        return contents, shaped(fields, Manifest)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    except Damaged as error:
        raise damaged(path, error) from None
    except RemoteError:
        raise damaged(path, Damaged("its manifest is not in the format")) from None


def damaged(path: Path, error: Damaged) -> BundleError:
    """Return the error for a bundle that is not whole."""
    return BundleError(f"{path} is damaged or incomplete: {error}", hint=HINT)
