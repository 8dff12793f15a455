"""Turn Docker's failures into errors.

The text of a `DockerException` is the whole command line, so it is never shown; what counts
is on the last lines of its standard error.
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
def in_words(stack: Stack, what: str) -> Iterator[None]:
    """Turn a failed call to Docker into one sentence that begins with `what`."""
    from python_on_whales.exceptions import DockerException

    try:
        yield
    except DockerException as error:
        said = stack.mask(last_line(error.stderr or error.stdout or ""))
        raise EngineError(
            f"{what} failed: {said or f'exit code {error.return_code}'}",
            hint="mlflow-compose logs shows the logs of the services",
        ) from None


def last_lines(client: "DockerClient", stack: Stack, service: str, began: float) -> list[str]:
    """Return the last log lines of a service since this start.

    Args:
        client: Client of the stack's project.
        stack: Stack whose secrets are masked.
        service: Name of the service; a kept container has lines of earlier starts too.
        began: When this start began, by this process's clock.
    """
    elapsed = timedelta(seconds=time.monotonic() - began)
    with in_words(stack, "docker compose logs"):
        # The engine may be in a virtual machine, whose clock differs from this machine's.
        told = client.system.info().system_time
        now = datetime.fromisoformat(told) if told else datetime.now(UTC)
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
    shown = [stack.mask(line) for line in _said(output)[-SHOWN_LINES:]]
    lines = "\n  ".join(["", *shown])
    return BuildError(f"the image {image} could not be built:{lines}", hint=hint)


def _said(output: Sequence[str]) -> list[str]:
    """Return what the build's steps themselves printed, each line once.

    BuildKit writes `#8 4.163 TEXT`, and much more around it.
    """
    steps = (re.fullmatch(r"#\d+ \d+\.\d+ (.*\S)\s*", line) for line in output)
    said = [step[1] for step in steps if step]
    return list(dict.fromkeys(said or (line for line in output if line.strip())))


def pull_failed(stack: Stack, images: Sequence[str], said: str) -> EngineError:
    """Return why images could not be pulled."""
    hint = "set MINIO_IMAGE and POSTGRES_IMAGE to mirrors that this machine reaches"
    if any(map(is_withdrawn, images)):
        hint = "MinIO's own images were withdrawn; remove MINIO_IMAGE from .env"
    return EngineError(
        f"{', '.join(images)} could not be pulled: {stack.mask(last_line(said))}", hint=hint
    )
