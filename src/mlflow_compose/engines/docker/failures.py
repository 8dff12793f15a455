"""Turn Docker's failures into errors.

The text of a `DockerException` contains the whole command line, so it is never shown; the reason
is on the last lines of standard error.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlflow_compose.engines.install_hints import install_hint
from mlflow_compose.errors import BuildError, EngineError
from mlflow_compose.stack import Stack, is_withdrawn

if TYPE_CHECKING:
    from python_on_whales import DockerClient

SHOWN_LINES = 12

_BASE_IMAGE = ("failed to resolve source metadata", "pull access denied", "failed to do request")


@contextmanager
def docker_errors(stack: Stack, command: str) -> Iterator[None]:
    """Turn a failed call to Docker into an EngineError that names `command`."""
    from python_on_whales.exceptions import DockerException

    try:
        yield
    except DockerException as error:
        reason = stack.mask(last_line(error.stderr or error.stdout or ""))
        raise EngineError(
            f"{command} failed: {reason or f'exit code {error.return_code}'}",
            hint="mlflow-compose logs shows the logs of the services",
        ) from None


def last_lines(client: "DockerClient", stack: Stack, service: str, began: float) -> list[str]:
    """Return the last log lines of a service since this start.

    Args:
        client: Client of the stack's project.
        stack: Stack whose secrets are masked.
        service: Service name; a reused container also has lines of earlier starts.
        began: Value of `time.monotonic` at the beginning of this start.
    """
    elapsed = timedelta(seconds=time.monotonic() - began)
    with docker_errors(stack, "docker compose logs"):
        # The engine may be in a virtual machine, whose clock differs from this machine's.
        engine_time = client.system.info().system_time
        now = datetime.fromisoformat(engine_time) if engine_time else datetime.now(UTC)
        output = client.compose.logs(
            [service], tail=str(SHOWN_LINES), since=(now - elapsed).isoformat(), stream=True
        )
        return [stack.mask(line.decode(errors="replace").rstrip("\n")) for _, line in output]


def last_line(text: str) -> str:
    """Return the last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def build_failed(stack: Stack, image: str, output: Sequence[str]) -> BuildError:
    """Return why an image could not be built."""
    text = "\n".join(output).lower()
    if any(word in text for word in _BASE_IMAGE):
        hint = "set PYTHON_IMAGE to a mirror that this machine reaches"
    else:
        whole = "docker compose --project-directory compose build shows the whole build"
        hint = install_hint(text) or whole
    shown = [stack.mask(line) for line in _step_output(output)[-SHOWN_LINES:]]
    lines = "\n  ".join(["", *shown])
    return BuildError(f"the image {image} could not be built:{lines}", hint=hint)


def _step_output(output: Sequence[str]) -> list[str]:
    """Return the lines that build steps printed, without duplicates.

    BuildKit prefixes them as in `#8 4.163 TEXT`, and prints much more around them.
    """
    steps = (re.fullmatch(r"#\d+ \d+\.\d+ (.*\S)\s*", line) for line in output)
    lines = [step[1] for step in steps if step]
    return list(dict.fromkeys(lines or (line for line in output if line.strip())))


def pull_failed(stack: Stack, images: Sequence[str], stderr: str) -> EngineError:
    """Return why images could not be pulled."""
    hint = "set MINIO_IMAGE and POSTGRES_IMAGE to mirrors that this machine reaches"
    if any(map(is_withdrawn, images)):
        hint = "MinIO's own images were withdrawn; remove MINIO_IMAGE from .env"
    return EngineError(
        f"{', '.join(images)} could not be pulled: {stack.mask(last_line(stderr))}", hint=hint
    )
