"""What the commands about the start at boot print."""

from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class BootService:
    """`service install`, `service remove` and `service status`."""

    engine: str = key("`docker` or `local`.")
    unit: str | None = key("Path of the stack's systemd unit; null if there is none.")
    at_boot: bool | None = key("Whether the stack starts at boot; null if that is unknown.")
    detail: str = key("The same as a sentence.")
