"""Rules that involve several settings."""

import ipaddress
from collections.abc import Iterator

from pydantic import SecretStr

from mlflow_compose.settings.class_rules import check_class
from mlflow_compose.settings.model import Settings
from mlflow_compose.settings.problem import Problem
from mlflow_compose.settings.store_rules import check_stores
from mlflow_compose.settings.tls_rules import check_inner_ports, check_tls
from mlflow_compose.settings.validators import (
    MIN_ADMIN_PASSWORD,
    MIN_JUPYTER_TOKEN,
    MIN_PGADMIN_PASSWORD,
)

KNOWN_PASSWORDS = frozenset(
    """
    admin changeme change-me example minio minio123 minioadmin minioadmin123 mlflow password
    password123 password1234 postgres root s3admin secret test 12345678 123456789012
    """.split()
)

S3_PORT_INSIDE = 9000
# MLflow has workspaces since 3.10, and since 3.13 the permissions in them that `user grant` and
# `workspace grant` set.
FIRST_WITH_WORKSPACES = (3, 13, 0)


def check(settings: Settings) -> Iterator[Problem]:
    """Yield the problems of settings that are valid individually."""
    yield from _ports(settings)
    yield from _open_to_the_network(settings)
    yield from _login(settings)
    yield from _token(settings)
    yield from _pgadmin(settings)
    yield from _server_variables(settings)
    yield from _workspaces(settings)
    yield from _replicas(settings)
    yield from check_stores(settings, settings.mlflow_artifact_access)
    yield from check_tls(settings)
    if settings.minio_volume_path.startswith("~"):
        yield Problem("MINIO_VOLUME_PATH", "must not start with ~, which is not expanded")


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach `address`."""
    return ipaddress.ip_address(address).is_loopback


def console_port(settings: Settings) -> int | None:
    """Return the port of the S3 console, None if it is off or the server has none."""
    return int(settings.minio_console_address.removeprefix(":")) if settings.has_console else None


def _ports(settings: Settings) -> Iterator[Problem]:
    may_be_docker = settings.stack_engine != "local"
    may_be_local = settings.stack_engine in {"auto", "local"}
    has_console = settings.bundles_s3 and may_be_docker
    # Without Docker, services always listen on ports of this machine.
    has_database_port = settings.bundles_postgres and (settings.pg_publish or may_be_local)
    published: dict[str, int | None] = {
        "MLFLOW_PORT": settings.mlflow_port,
        "MINIO_PORT": settings.minio_port if settings.bundles_s3 else None,
        "MINIO_CONSOLE_ADDRESS": console_port(settings) if has_console else None,
        "PG_PORT": settings.pg_port if has_database_port else None,
        "JUPYTER_PORT": settings.jupyter_port if settings.jupyter else None,
        "PGADMIN_PORT": settings.pgadmin_port if settings.pgadmin else None,
        "CLASS_TLS_PORT": settings.seats_port,
    }
    if published["MINIO_CONSOLE_ADDRESS"] == S3_PORT_INSIDE:
        yield Problem(
            "MINIO_CONSOLE_ADDRESS",
            f"must differ from :{S3_PORT_INSIDE}, the port of S3 itself in its container",
        )
        del published["MINIO_CONSOLE_ADDRESS"]
    seen: dict[int, str] = {}
    for name, port in published.items():
        if port is None:
            continue
        if first := seen.get(port):
            yield Problem(name, f"must differ from {first}, got {port} for both", (first,))
        seen.setdefault(port, name)
    for model in settings.models:
        if first := seen.get(model.port):
            yield Problem(
                "STACK_MODELS",
                f"must give {model.reference.text} another port than {first}, got {model.port}",
                (first,),
            )
        seen.setdefault(model.port, model.reference.text)
    yield from check_class(settings, seen)
    if may_be_local:
        yield from check_inner_ports(settings, seen)


def _open_to_the_network(settings: Settings) -> Iterator[Problem]:
    address = settings.stack_bind_address
    if is_loopback(address):
        return
    if settings.mlflow_auth == "none":
        yield Problem(
            "STACK_BIND_ADDRESS",
            f"must be a loopback address while MLFLOW_AUTH is none, got {address}",
            ("MLFLOW_AUTH",),
        )
    for name, value in settings:
        if not isinstance(value, SecretStr):
            continue
        # Key ids too: with one, anyone can write to an unpatched MinIO.
        if value.get_secret_value().lower() in KNOWN_PASSWORDS:
            yield Problem(
                name.upper(),
                f"must not be a well-known password while STACK_BIND_ADDRESS is {address}",
                ("STACK_BIND_ADDRESS",),
            )


def _server_variables(settings: Settings) -> Iterator[Problem]:
    for name, value in settings.server_variables.items():
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            yield Problem(name, "must be valid UTF-8 without NUL characters")


def _login(settings: Settings) -> Iterator[Problem]:
    password = settings.mlflow_admin_password.get_secret_value()
    if settings.mlflow_auth != "basic":
        return
    if len(password) < MIN_ADMIN_PASSWORD:
        yield Problem(
            "MLFLOW_ADMIN_PASSWORD",
            f"must be at least {MIN_ADMIN_PASSWORD} characters long when MLFLOW_AUTH is basic",
            ("MLFLOW_AUTH",),
        )
    # MLflow itself does not start with some of them.
    elif password.lower() in KNOWN_PASSWORDS and is_loopback(settings.stack_bind_address):
        yield Problem(
            "MLFLOW_ADMIN_PASSWORD", "must not be a well-known password", ("MLFLOW_AUTH",)
        )


def has_workspaces(settings: Settings) -> bool:
    """Tell whether MLflow has workspaces in the version that the settings choose."""
    version = tuple(map(int, settings.mlflow_version.split(".")))
    # An image from elsewhere may have any version.
    return bool(settings.mlflow_image) or version >= FIRST_WITH_WORKSPACES


def _workspaces(settings: Settings) -> Iterator[Problem]:
    if settings.mlflow_workspaces and not has_workspaces(settings):
        oldest = ".".join(map(str, FIRST_WITH_WORKSPACES))
        yield Problem(
            "MLFLOW_WORKSPACES",
            f"requires MLFLOW_VERSION {oldest} or newer, got {settings.mlflow_version}",
            ("MLFLOW_VERSION",),
        )


def _replicas(settings: Settings) -> Iterator[Problem]:
    """Yield what several tracking servers cannot share or would do several times."""
    if settings.mlflow_replicas == 1:
        return
    got = f"got {settings.mlflow_replicas}"
    rules = (
        ("STACK_ENGINE", settings.stack_engine == "local", "local: raise MLFLOW_WORKERS instead"),
        ("BACKEND_STORE", settings.backend_store != "postgres", "sqlite: servers share PostgreSQL"),
        ("ARTIFACT_STORE", settings.artifact_store != "s3", "local: servers share S3"),
        ("CLASS_MODE", settings.class_mode == "seats", "seats: each seat has one server"),
        (
            "MLFLOW_JOBS",
            settings.mlflow_jobs,
            "true: a server that starts would run the jobs of the others again",
        ),
    )
    for name, conflicts, value in rules:
        if conflicts:
            yield Problem("MLFLOW_REPLICAS", f"must be 1 when {name} is {value}, {got}", (name,))
    if settings.mlflow_image and settings.stack_engine != "kubernetes":
        # Pods share no folder.
        yield Problem(
            "MLFLOW_REPLICAS",
            f"must be 1 when MLFLOW_IMAGE is set and STACK_ENGINE is not kubernetes, {got}: in "
            "images of earlier versions, a server that starts deletes the uploads of the others",
            ("MLFLOW_IMAGE",),
        )


def _token(settings: Settings) -> Iterator[Problem]:
    if settings.jupyter and len(settings.jupyter_token.get_secret_value()) < MIN_JUPYTER_TOKEN:
        yield Problem(
            "JUPYTER_TOKEN",
            f"must be at least {MIN_JUPYTER_TOKEN} characters long when JUPYTER is true: anyone "
            "with it can run programs",
            ("JUPYTER",),
        )


def _pgadmin(settings: Settings) -> Iterator[Problem]:
    if not settings.pgadmin:
        return
    if settings.backend_store == "sqlite":
        yield Problem(
            "PGADMIN",
            "must be false when BACKEND_STORE is sqlite, which pgAdmin cannot open; "
            "mlflow-compose sql can",
            ("BACKEND_STORE",),
        )
    password = settings.pgadmin_password.get_secret_value()
    if len(password) < MIN_PGADMIN_PASSWORD:
        yield Problem(
            "PGADMIN_PASSWORD",
            f"must be at least {MIN_PGADMIN_PASSWORD} characters long when PGADMIN is true",
            ("PGADMIN",),
        )
    elif password.lower() in KNOWN_PASSWORDS and is_loopback(settings.stack_bind_address):
        yield Problem("PGADMIN_PASSWORD", "must not be a well-known password", ("PGADMIN",))
