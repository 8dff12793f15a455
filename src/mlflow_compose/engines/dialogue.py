"""Modules that stay inside a service and answer one question after the other."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from types import ModuleType
from typing import IO, Any, Generic, TypeVar

from mlflow_compose.engines.answers import Reader, RemoteError, shaped
from mlflow_compose.engines.base import Engine
from mlflow_compose.engines.remote import LOADER, LONGEST_MESSAGE, sent

# Seconds: for an answer, and for the modules to end.
ANSWERS_WITHIN, ENDS_WITHIN = 60, 10
T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """What remains of a dialogue whose modules have ended: why they did."""

    reason: str


class Dialogue(Generic[T]):
    """Modules in a service, started once: a new container for every question would be slow.

    The `main` of the last module takes each line of standard input as the same question again, and
    reports the answer as an item. Without this process, standard input ends, and so do they.
    """

    def __init__(
        self,
        engine: Engine,
        service: str,
        modules: Sequence[ModuleType],
        request: Mapping[str, Any],
        shape: type[T],
    ) -> None:
        """Start the modules.

        Args:
            engine: Engine of the stack.
            service: Name of a service whose image has Python.
            modules: Modules as of `run_modules`.
            request: Argument of `main`, as JSON values.
            shape: Type of an answer.
        """
        self._engine, self._service, self._shape = engine, service, shape
        self._answers: SimpleQueue[tuple[Any] | Ended] = SimpleQueue()
        self._reader = Reader(lambda _: None, self._take, engine.stack.mask)
        # Lines to send; None ends them.
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._lines.put(sent(modules, request))
        reading, writing = os.pipe()
        self._thread = Thread(target=self._run, args=[os.fdopen(reading, "rb")], daemon=True)
        # A thread of its own: a pipe may be too small for a line that nothing reads yet.
        self._sender = Thread(target=self._send, args=[os.fdopen(writing, "wb")], daemon=True)
        self._thread.start()
        self._sender.start()

    def ask(self) -> T:
        """Return the answer to the next question.

        Raises:
            RemoteError: The modules have ended, do not answer, or not in the format. Close it then:
                a late answer would be taken for that to the next question.
        """
        self._lines.put(b"\n")
        try:
            answer = self._answers.get(timeout=ANSWERS_WITHIN)
        except Empty:
            raise RemoteError(f"no answer from {self._service} in {ANSWERS_WITHIN} s") from None
        if isinstance(answer, Ended):
            raise RemoteError(answer.reason)
        return shaped(answer[0], self._shape)

    def close(self) -> None:
        """End the modules."""
        self._lines.put(None)
        self._thread.join(ENDS_WITHIN)
        self._sender.join(ENDS_WITHIN)

    def _take(self, item: object) -> None:
        self._answers.put((item,))

    def _run(self, stdin: IO[bytes]) -> None:
        # Once the modules have ended, nothing reads the pipe any more, and sending fails.
        with stdin:
            try:
                outcome = self._engine.run(
                    self._service,
                    ("python", "-c", LOADER),
                    stdin=stdin,
                    on_output=self._reader.read,
                )
            except Exception as error:  # noqa: BLE001 - raised again by `ask`
                reason = str(error)
            else:
                failed = self._reader.failed or {}
                text = replace(outcome, stdout=self._reader.other).failure
                reason = failed.get("message") or self._engine.stack.mask(text)[-LONGEST_MESSAGE:]
            self._answers.put(Ended(reason))

    def _send(self, lines: IO[bytes]) -> None:
        with suppress(BrokenPipeError), lines:
            while line := self._lines.get():
                lines.write(line)
                lines.flush()
