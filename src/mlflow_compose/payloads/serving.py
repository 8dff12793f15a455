"""What `serve` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class ModelState:
    """A model that the stack serves."""

    model: str = key("Name of the registered model.")
    alias: str | None = key("Alias that chooses the version; null if the version is fixed.")
    version: str | None = key("Version that is served; null if its server has not started yet.")
    service: str = key("Name of its service.")
    url: str = key("URL of its server.")
    state: str = key("State of its service, as in `status`; empty if nothing runs.")
    health: str = key("Health of its service, as in `status`.")


@dataclass(frozen=True)
class Served:
    """`serve`."""

    model: ModelState = key("The model.")
    answer: str | None = key("Answer to the input example, as JSON; null without an example.")


@dataclass(frozen=True)
class ServedList:
    """`serve --list`."""

    models: Sequence[ModelState] = key("The models, in the order of `STACK_MODELS`.")


@dataclass(frozen=True)
class NotServed:
    """`serve --stop`."""

    stopped: Sequence[str] = key("The models that are no longer served.")
