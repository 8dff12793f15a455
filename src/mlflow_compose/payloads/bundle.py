"""What `bundle` and `load` print."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class Bundled:
    """`bundle`."""

    file: str = key("Path of the bundle.")
    bytes: int = key("Its size.")
    sha256: str = key("Its digest.")
    machines: Sequence[str] = key("Platforms and versions of Python that it is for.")
    images: Sequence[str] = key("Images of Docker that are in it.")
    for_seats: bool = key("Whether each stack that it becomes gets a name of its own.")


@dataclass(frozen=True)
class Loaded:
    """`load`."""

    images: Sequence[str] = key("Images that Docker did not have before.")
    wheels: Sequence[str] = key("Services whose packages can be installed without a network.")
    env_file: str | None = key("Path of the new env file, null if there was one.")
