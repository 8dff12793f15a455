"""Signals that end a command: the first one raises, later ones do not disturb the cleanup."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from mlflow_compose.errors import Cancelled, HungUp, Terminated

# Windows has no SIGHUP.
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Ended(KeyboardInterrupt):
    """Raised by a signal that ends the command, so that cleanup runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_signals() -> None:
    """Turn every signal that ends a command into an exception, so that cleanup runs."""
    for number in ENDING:
        # A signal that is ignored, as with nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def cancelled_by(end: KeyboardInterrupt) -> Cancelled:
    """Return the error for what ended a command; its exit code is 128 plus the signal number."""
    match end:
        case Ended(number=signal.SIGTERM):
            return Terminated("terminated (SIGTERM)")
        case Ended(number=number) if number != signal.SIGINT:
            return HungUp("the terminal was closed (SIGHUP)")
    return Cancelled("interrupted")


@contextmanager
def until_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end a command that runs until then: it is not reported as an error.

    Raises:
        typer.Exit: With the code of an interrupted command.
    """
    try:
        yield
    except KeyboardInterrupt as end:
        if (code := cancelled_by(end).exit_code) != Cancelled.exit_code:
            raise
        raise typer.Exit(code) from None


def _raise(number: int, frame: FrameType | None) -> None:
    del frame
    for each in ENDING:
        if signal.getsignal(each) is _raise:
            # Not SIG_IGN, which processes that are started from now on would inherit.
            signal.signal(each, _ignore)
    raise Ended(number)


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame
