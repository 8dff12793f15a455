"""The stack that runs while data moves: the servers of the old and the new one, MLflow idle."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mlflow_compose.stack.components import bucket_init, mlflow, postgres, s3
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.service import COMPLETED, HEALTHY, Bind, SecretFile, Service, Volume
from mlflow_compose.stack.site import LOOPBACK

# Name of the new S3 server while the old one is still called s3.
NEXT = "s3-next"
# Signals are blocked first: the kernel drops those without a handler for PID 1 of a container.
IDLE = (
    "import signal; "
    "ends = (signal.SIGTERM, signal.SIGINT); "
    "signal.pthread_sigmask(signal.SIG_BLOCK, ends); "
    "signal.sigwait(ends)"
)


def intermediate(old: Stack, new: Stack, *, port: int) -> Stack:
    """Return a stack with the servers of both; its mlflow is idle, and reaches both databases.

    Args:
        old: Current stack.
        new: The same stack with other stores.
        port: Loopback port of a second S3 server.
    """
    servers = tuple(_servers(old, new, port))
    idle = _idle(old, new, servers)
    return replace(
        new,
        services=(*servers, idle),
        sensitive=tuple(sorted({*old.sensitive, *new.sensitive}, key=len)[::-1]),
    )


def objects_url(old: Stack, new: Stack, port: int) -> str | None:
    """Return the URL of the new S3 server on this machine while data moves."""
    return f"http://{LOOPBACK}:{port}" if _has_two(old, new) else new.s3_url


def stays(old: Stack, new: Stack) -> bool:
    """Tell whether both use the same bundled S3 server."""
    return old.has(s3.NAME) and new.has(s3.NAME) and not _has_two(old, new)


def kept(old: Stack, new: Stack) -> tuple[str, ...]:
    """Return the volumes of the old stack that the new one does not use."""
    return tuple(name for name in old.volumes if name not in new.volumes)


def objects_volumes(stack: Stack) -> tuple[str, ...]:
    """Return the volumes of the bundled S3 server, with all of its buckets."""
    mounts = stack.service(s3.NAME).volumes if stack.has(s3.NAME) else ()
    return tuple(mount.source for mount in mounts if isinstance(mount, Volume))


def same_secret(old: Stack, new: Stack) -> str:
    """Describe a secret that both S3 servers need with different texts; empty if there is none."""
    if not _has_two(old, new):
        return ""
    texts = {secret.key: secret.text for secret in old.secrets}
    differ = [s for s in new.secrets if s.key in texts and s.text != texts[s.key]]
    return differ[0].about if differ else ""


def _has_two(old: Stack, new: Stack) -> bool:
    """Tell whether both bundle an S3 server, with separate data."""
    if not (old.has(s3.NAME) and new.has(s3.NAME)):
        return False
    # Providers that share a folder still differ in format.
    return _data(old) != _data(new)


def _data(stack: Stack) -> tuple[object, ...]:
    provider = stack.stores.artifacts.facts.get("provider")
    return (provider, stack.service(s3.NAME).volumes)


def _servers(old: Stack, new: Stack, port: int) -> Iterator[Service]:
    for name in (postgres.NAME, s3.NAME):
        if old.has(name):
            yield old.service(name)
        elif new.has(name):
            yield new.service(name)
    two = _has_two(old, new)
    if two:
        service = new.service(s3.NAME)
        published = next(found for found in service.ports if found.name == s3.NAME)
        reached = replace(published, name=NEXT, address=LOOPBACK, published=port)
        yield replace(service, name=NEXT, ports=(reached,))
    if two or (new.has(s3.NAME) and not old.has(s3.NAME)):
        job = new.service(bucket_init.NAME)
        yield _for_next(job) if two else job


def _for_next(job: Service) -> Service:
    """Return bucket-init for the second server."""
    environment = dict(job.environment)
    environment["S3_ENDPOINT"] = environment["S3_ENDPOINT"].replace("//s3:", f"//{NEXT}:")
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] += f",{NEXT}"
    return replace(job, environment=environment, depends_on={NEXT: job.depends_on[s3.NAME]})


def _idle(old: Stack, new: Stack, servers: tuple[Service, ...]) -> Service:
    service, before = new.service(mlflow.NAME), old.service(mlflow.NAME)
    return replace(
        service,
        about="Idle while data moves, so that nothing is written meanwhile.",
        command=("python", "-c", IDLE),
        secrets=_without(service.secrets, servers),
        volumes=_both(service.volumes, before.volumes),
        ports=(),
        inner_ports=(),
        replicas=1,
        healthcheck=None,
        depends_on=_waits_for(servers),
    )


def _without(
    secrets: tuple[SecretFile, ...], servers: tuple[Service, ...]
) -> tuple[SecretFile, ...]:
    """Leave out secrets of which a running server has another version."""
    texts = {secret.name: secret.text for service in servers for secret in service.secrets}
    return tuple(found for found in secrets if texts.get(found.name, found.text) == found.text)


def _both(
    one: tuple[Volume | Bind, ...], other: tuple[Volume | Bind, ...]
) -> tuple[Volume | Bind, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _waits_for(servers: tuple[Service, ...]) -> Mapping[str, str]:
    # `docker compose up --wait` fails if a job that no service waits for has exited.
    return {found.name: COMPLETED if found.one_shot else HEALTHY for found in servers}
