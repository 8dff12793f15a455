"""What `env` and `open` print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import Absent, key, optional_key


@dataclass(frozen=True)
class ClientVariables:
    """`env`."""

    place: str = key("Where the client runs: `host`, `container`, `lan` or `direct`.")
    variables: Mapping[str, str] = key("Values by name, without those of `hidden`.")
    hidden: Sequence[str] = key("Names whose values are secret; `--secrets` includes them.")
    notes: Sequence[str] = key("What else a client needs, as sentences.")
    check: str | Absent = optional_key("With `--check`: path of the program.")


@dataclass(frozen=True)
class Opened:
    """`open`."""

    url: str = key("URL of the server.")
    opened: bool = key("Whether a browser was started.")
