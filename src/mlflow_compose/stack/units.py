"""What systemd needs to know about the services of a stack: names, paths, limits."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from mlflow_compose.errors import UsageError
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack.healthcheck import PATIENCE
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.service import Bind, Service, Volume
from mlflow_compose.stack.site import Host

# No project and no service has a dot in its name, so no two stacks have the same unit.
PREFIX = "mlflow-compose-"
# As systemd's own default.
SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# What programs of the system are in, which every unit may read.
SYSTEM = PurePath("/usr")
# Folder of all secrets, in that of the files that the services run from.
SECRETS = "secrets"
# Characters with a meaning in lists of paths.
REFUSED = frozenset(":\\\"'")
# What a server needs that root starts as another user.
SWITCHES_USER = "CAP_CHOWN CAP_SETGID CAP_SETUID"


@dataclass(frozen=True)
class Unit:
    """One service as a unit; all paths are absolute.

    Attributes:
        service: The service.
        name: Name of the unit.
        after: Units that are started before it.
        environment: Variables of its processes.
        secrets: Files of its secrets.
        needed: Paths that must exist.
        readable: Paths that it may read, besides those of the system.
        writable: Paths that it may write to.
        hidden: Data of other services.
        capabilities: Capabilities that it keeps.
        memory: Limit in mebibytes, None without one.
        patience: Seconds that its start may take.
    """

    service: Service
    name: str
    after: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    needed: tuple[str, ...]
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    hidden: tuple[str, ...]
    capabilities: str
    memory: int | None
    patience: int


@dataclass(frozen=True)
class Units:
    """The units of a stack.

    Attributes:
        prefix: What the names of all of them begin with.
        main: Name of the unit that starts the stack.
        root: Folder of the env file.
        folder: Folder of the files that the services run from.
        scripts: Folder of the rendered units.
        user: User that the services run as.
        secrets: Folder of all secrets.
        services: The units of the services, without containers.
    """

    prefix: str
    main: str
    root: str
    folder: str
    scripts: str
    user: str
    secrets: str
    services: tuple[Unit, ...]


def units(stack: Stack, folder: str) -> Units:
    """Return the units of a stack.

    Args:
        stack: The stack.
        folder: Name of the folder of the files that the services run from.

    Raises:
        UsageError: A path has a character that systemd's lists of paths cannot have.
    """
    host = stack.site.host
    if host is None:
        raise ValueError("this stack is not rendered as units")
    _check((host.root,))
    prefix, place = f"{PREFIX}{stack.name}", f"{host.root}/{folder}"
    kind = "service" if stack.site.in_containers else "target"
    found_units = () if stack.site.in_containers else tuple(_units(stack, host, prefix, place))
    for unit in found_units:
        _check((*unit.readable, *unit.writable))
    return Units(
        prefix=prefix,
        main=f"{prefix}.{kind}",
        root=host.root,
        folder=place,
        scripts=f"{host.root}/{stack.site.target}",
        user=host.user,
        secrets=f"{place}/{SECRETS}",
        services=found_units,
    )


def _check(names: Iterable[str]) -> None:
    """Make sure that systemd reads paths as they are: a colon would mount one in place of another.

    Raises:
        UsageError: A path has a character with a meaning in lists of paths.
    """
    for name in names:
        if found := REFUSED.intersection(name):
            raise UsageError(
                f"units cannot name {name}: it contains {' '.join(sorted(found))}",
                hint="rename the folder (mv), then run the command again",
            )


def _units(stack: Stack, host: Host, prefix: str, place: str) -> Iterator[Unit]:
    data = {name: _data(service, place) for name, service in _named(stack)}
    others = [name for name, service in _named(stack) if not service.starts_last]
    for name, service in _named(stack):
        waits = others if service.starts_last else [*service.depends_on]
        packages = f"{service.image}/bin"
        path = (packages, f"{service.image}/postgresql/bin", *SEARCHED)
        writable = data[name]
        yield Unit(
            service=service,
            name=f"{prefix}.{name}.service",
            after=tuple(f"{prefix}.{each}.service" for each in waits),
            environment={
                "PATH": ":".join(path),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUNBUFFERED": "1",
                **service.environment,
                "STACK_SERVICE": f"{stack.identity}/{name}",
                "STACK_FOLDER": place,
            },
            secrets=tuple(
                f"{place}/{SECRETS}/{secret.path}" for secret in service.secrets if not secret.file
            ),
            needed=(f"{packages}/python", *writable),
            readable=tuple(_readable(service, host, place)),
            writable=writable,
            hidden=tuple(sorted({path for each in data.values() for path in each} - {*writable})),
            capabilities=SWITCHES_USER if service.environment.get("RUN_AS") else "",
            memory=mebibytes(service.memory) if service.memory else None,
            patience=service.healthcheck.patience if service.healthcheck else PATIENCE,
        )


def _named(stack: Stack) -> Iterator[tuple[str, Service]]:
    return ((service.name, service) for service in stack.services)


def _data(service: Service, place: str) -> tuple[str, ...]:
    """Return the folders that a service writes to."""
    mounts = (mount for mount in service.volumes if not mount.read_only)
    found = (each.target if isinstance(each, Volume) else each.source for each in mounts)
    return tuple(dict.fromkeys(_absolute(path, place) for path in found))


def _readable(service: Service, host: Host, place: str) -> Iterator[str]:
    """Yield what a service reads that is not part of the system."""
    binds = (mount for mount in service.volumes if isinstance(mount, Bind) and mount.read_only)
    files = (secret.file for secret in service.secrets if secret.file)
    # Without a path, uv is searched for.
    uv = service.environment.get("UV", "")
    programs = (service.image, host.python, *([uv] if uv.startswith("/") else []))
    yield from (path for path in programs if SYSTEM not in PurePath(path).parents)
    yield from (_absolute(path, place) for path in (*(each.source for each in binds), *files))


def _absolute(path: str, place: str) -> str:
    return os.path.normpath(f"{place}/{path}" if not path.startswith("/") else path)
