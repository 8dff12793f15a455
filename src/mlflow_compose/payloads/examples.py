"""What `example` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class ExampleListed:
    """An example that ships with the tool."""

    name: str = key("Name.")
    about: str = key("One sentence about it.")


@dataclass(frozen=True)
class ExamplesList:
    """`example` without a name."""

    examples: Sequence[ExampleListed] = key("All examples, the simplest first.")


@dataclass(frozen=True)
class ExampleCopied:
    """`example NAME`."""

    name: str = key("Name of the example.")
    folder: str = key("Folder of the copy.")
    commands: Sequence[str] = key("Commands that run it, in a shell in the stack's folder.")
