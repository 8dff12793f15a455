"""How users of this machine reach a stack."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from mlflow_compose.stack import Stack


@dataclass(frozen=True)
class Access:
    """How users of this machine reach a stack.

    Attributes:
        urls: URLs by name.
        command: Command that must run meanwhile, empty if none has to.
    """

    urls: Mapping[str, str]
    command: Sequence[str] = ()


class Reachable(Protocol):
    """What every engine knows about the way to its stack."""

    def reachable(self, names: Collection[str] = ()) -> AbstractContextManager[None]:
        """Make ports of the stack reachable on this machine while the block runs.

        They may be out of reach nevertheless, for example if nothing runs.

        Args:
            names: Names of the ports; by default, those that users of this machine need.
        """

    def access(self) -> Access:
        """Return how users of this machine reach the stack."""


class Published:
    """An engine whose services publish their ports on this machine."""

    stack: Stack

    def reachable(self, names: Collection[str] = ()) -> AbstractContextManager[None]:
        """Do nothing: the ports are reachable as long as the services run."""
        del names
        return nullcontext()

    def access(self) -> Access:
        """Return the URLs of the stack."""
        return Access(self.stack.urls)
