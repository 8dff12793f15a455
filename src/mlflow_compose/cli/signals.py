"""Signals that end a command: the first is raised, later ones do not disturb the cleanup."""

import signal
from types import FrameType

from mlflow_compose.errors import Cancelled, HungUp, Terminated

# SIGHUP is not on every system.
ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Ended(KeyboardInterrupt):
    """Raised by a signal that ends the command, so that everything open is closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_signals() -> None:
    """Make every signal that ends a command an exception, so that nothing stays half done."""
    for number in ENDING:
        # One that is ignored, as by nohup, stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


def in_words(end: KeyboardInterrupt) -> Cancelled:
    """Return what ended a command; the exit code is 128 and the signal's number, as in a shell."""
    match end:
        case Ended(number=signal.SIGTERM):
            return Terminated("terminated (SIGTERM)")
        case Ended(number=number) if number != signal.SIGINT:
            return HungUp("the terminal was closed (SIGHUP)")
    return Cancelled("interrupted")


def _raise(number: int, frame: FrameType | None) -> None:
    del frame
    for each in ENDING:
        if signal.getsignal(each) is _raise:
            # Not SIG_IGN, which the processes that are started from now on would inherit.
            signal.signal(each, _ignore)
    raise Ended(number)


def _ignore(number: int, frame: FrameType | None) -> None:
    del number, frame
