"""What commands print that have no result, or only a text."""

from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class Nothing:
    """Printed if a command failed before it had a result."""


NOTHING = Nothing()


@dataclass(frozen=True)
class Help:
    """`--help`."""

    help: str = key("Help text.")


@dataclass(frozen=True)
class Completion:
    """`completion`."""

    script: str = key("Script for the shell.")


@dataclass(frozen=True)
class Version:
    """`--version`."""

    version: str = key("Version of the tool.")
