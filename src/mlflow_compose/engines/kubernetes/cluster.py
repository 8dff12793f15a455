"""Calls of kubectl and helm, always with the context and the namespace of a stack."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import end, run_process
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Namespace, Stack

STACK_LABEL, SERVICE_LABEL = "mlflow-compose.stack", "app.kubernetes.io/name"
# For calls that only ask or change something: the server may be out of reach.
TIMEOUT = "--request-timeout=30s"
# Variables that would send helm to another cluster than kubectl.
REDIRECTING = ("HELM_KUBE", "HELM_NAMESPACE")
# Log lines of client libraries, such as `E1129 12:00:00.000000 1 memcache.go:265] …`.
LOG_LINE = re.compile(r"[EWIF]\d{4} |WARNING: |level=")
LONGEST_REASON = 600


@dataclass(frozen=True)
class Cluster:
    """The namespace of a stack, for kubectl and helm.

    Attributes:
        stack: The stack.
        place: Its namespace.
        environ: Environment of the two programs.
    """

    stack: Stack
    place: Namespace
    environ: Mapping[str, str] = field(repr=False)

    @property
    def selector(self) -> str:
        """Selector of everything of the stack, as an option."""
        return f"--selector={STACK_LABEL}={self.stack.identity}"

    def kubectl(self, *arguments: str) -> list[str]:
        """Return a command of kubectl, as a user would type it."""
        return [*self.place.kubectl, *self.place.within, *arguments]

    def helm(self, *arguments: str) -> list[str]:
        """Return a command of helm, as a user would type it."""
        return [*self.place.helm, *self.place.within, *arguments]

    def call(self, command: Sequence[str], *, stdin: IO[bytes] | None = None) -> Outcome:
        """Run a command to its end, whether it succeeds or not."""
        return run_process(command, environ=self.environment, stdin=stdin)

    def do(self, command: Sequence[str], *, stdin: IO[bytes] | None = None) -> bytes:
        """Run a command, and return its output.

        Raises:
            EngineError: It failed.
        """
        outcome = self.call(command, stdin=stdin)
        if outcome.exit_code:
            raise self.failed(command, outcome)
        return outcome.stdout

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """Return what `kubectl get` finds: one object, or those of a list."""
        command = self.kubectl("get", *arguments, "--output=json", TIMEOUT)
        found = json.loads(self.do(command) or b"{}")
        return found.get("items", found)

    def lines(self, command: Sequence[str]) -> Iterator[str]:
        """Yield the lines that a command prints while it runs; end it if they are not needed.

        Raises:
            EngineError: It failed.
        """
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(  # noqa: S603 - a list from this package
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    yield self.stack.mask(line.decode(errors="replace").rstrip("\n"))
                code = process.wait()
            finally:
                end(process)
            if code:
                errors.seek(0)
                text = errors.read().decode(errors="replace")
                raise self.failed(command, Outcome(code, b"", text))

    def failed(self, command: Sequence[str], outcome: Outcome) -> EngineError:
        """Return why a command failed."""
        # Not with its options: they have no secrets, but the reason is what matters.
        words = [word for word in command[1:] if not word.startswith("-")]
        own = {self.place.name, self.place.context}
        name = next((word for word in words if word not in own), "")
        reason = self.stack.mask(reason_of(outcome.stderr)) or f"exit code {outcome.exit_code}"
        return EngineError(
            f"{command[0]} {name} failed: {reason}",
            hint=f"{' '.join(self.kubectl('get', 'pods,events'))} shows more",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the two programs."""
        return {
            name: value for name, value in self.environ.items() if not name.startswith(REDIRECTING)
        }


def reason_of(stderr: str) -> str:
    """Return what kubectl or helm reports, as one line."""
    lines = (line.strip() for line in stderr.splitlines())
    told = [line for line in lines if line and not LOG_LINE.match(line)]
    text = "; ".join(dict.fromkeys(told)).removeprefix("Error: ").removeprefix("error: ")
    return text[-LONGEST_REASON:]
