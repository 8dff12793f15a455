"""Rules of the proxy's settings, and of the files that they name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose.settings.problem import Problem
from mlflow_compose.settings.validators import MAX_PORT
from mlflow_compose.tls import problems_of_files

if TYPE_CHECKING:
    from mlflow_compose.settings.model import Settings

FILES = "files"
PREFIX = "STACK_TLS_"


def check_tls(settings: "Settings") -> Iterator[Problem]:
    """Yield the problems of the proxy's settings."""
    if not settings.uses_tls:
        return
    if settings.stack_tls == FILES:
        for name in ("STACK_TLS_CERT", "STACK_TLS_KEY"):
            if not getattr(settings, name.lower()):
                yield Problem(name, "must be a PEM file when STACK_TLS is files", ("STACK_TLS",))
    if settings.bundles_s3 and settings.mlflow_artifact_access == "direct":
        yield Problem(
            "MLFLOW_ARTIFACT_ACCESS",
            f"must be proxied when STACK_TLS is {settings.stack_tls}: the bundled S3 server only "
            "uses HTTP",
            ("STACK_TLS", "MINIO_HOST"),
        )


def inner_ports(settings: "Settings") -> dict[str, int]:
    """Return the ports on which servers behind the proxy listen without Docker.

    The keys are variables, or name seats.
    """
    if not settings.uses_tls:
        return {}
    ports = {
        "MLFLOW_PORT": settings.mlflow_port,
        **({"JUPYTER_PORT": settings.jupyter_port} if settings.jupyter else {}),
        **({"PGADMIN_PORT": settings.pgadmin_port} if settings.pgadmin else {}),
        **{f"seat {seat.name}": seat.port for seat in settings.seats},
    }
    return {name: port + settings.stack_tls_offset for name, port in ports.items()}


def check_inner_ports(settings: "Settings", used: dict[int, str]) -> Iterator[Problem]:
    """Yield the problems of the ports behind the proxy.

    Args:
        settings: Settings of the stack.
        used: Variables or models by the ports that they occupy on this machine.
    """
    published = {**used, **{seat.port: f"seat {seat.name}" for seat in settings.seats}}
    for name, port in inner_ports(settings).items():
        got = f"got {settings.stack_tls_offset} for {name}"
        if port > MAX_PORT:
            rule = f"must lead to ports up to {MAX_PORT}, {got}"
            yield Problem("STACK_TLS_OFFSET", rule, (name,))
        elif other := published.get(port):
            rule = f"must not lead to port {port} of {other}, {got}"
            yield Problem("STACK_TLS_OFFSET", rule, (name, other))


def check_certificate(settings: "Settings", folder: Path) -> Iterator[Problem]:
    """Yield the problems of the certificate's files.

    Args:
        settings: Settings that name them.
        folder: Folder that relative paths start at.
    """
    given = (settings.stack_tls_cert, settings.stack_tls_key)
    if settings.stack_tls != FILES or not all(given):
        return
    cert, key = (folder / path for path in given)
    ca = folder / settings.stack_tls_ca if settings.stack_tls_ca else None
    for name, rule in problems_of_files(cert, key, ca):
        variable = f"{PREFIX}{name.upper()}"
        yield Problem(variable, f"{rule}, got {getattr(settings, variable.lower())}")
