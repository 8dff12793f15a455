"""The variables of a client, by where it runs."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.connect.proxies import proxy_note
from mlflow_compose.errors import UsageError
from mlflow_compose.stack import PublishedPort, Stack
from mlflow_compose.stack.components import mlflow, s3
from mlflow_compose.stack.site import THIS_MACHINE, url_host

HOST, CONTAINER, LAN, DIRECT = "host", "container", "lan", "direct"
PLACES: Mapping[str, str] = {
    HOST: "a program on this machine",
    CONTAINER: "a container on the stack's network",
    LAN: "a program on another machine",
    DIRECT: "a program on this machine that also uses S3 itself",
}


# Variable from which MLflow's client reads the path of CA certificates.
CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH"
# Places on this machine.
HERE = frozenset({HOST, DIRECT})


@dataclass(frozen=True)
class Variable:
    """One environment variable."""

    name: str
    value: str = field(repr=False)
    is_secret: bool = False


@dataclass(frozen=True)
class ClientEnvironment:
    """Everything that a client must set.

    Attributes:
        variables: The variables, secrets included.
        notes: What is not said by a variable, as sentences.
    """

    variables: tuple[Variable, ...]
    notes: tuple[str, ...] = ()

    def values(self, *, secrets: bool) -> Mapping[str, str]:
        """Return the values by name, with or without those of secrets."""
        return {one.name: one.value for one in self.variables if secrets or not one.is_secret}

    def hidden(self, *, secrets: bool) -> tuple[str, ...]:
        """Return the names whose values are left out."""
        return tuple(one.name for one in self.variables if one.is_secret and not secrets)


def client_environment(
    stack: Stack, place: str, lan_host: str, environ: Mapping[str, str], workspace: str = ""
) -> ClientEnvironment:
    """Return what a client must set.

    Args:
        stack: The stack.
        place: Where the client runs, a key of PLACES.
        lan_host: Name or address of this machine for others, empty if only this machine may
            connect.
        environ: Environment of this machine's clients, which may send requests through a proxy.
        workspace: Workspace that they use, empty for the default one.

    Raises:
        UsageError: Clients in that place cannot use the stack.
    """
    _check(stack, place, lan_host)
    found = [Variable("MLFLOW_TRACKING_URI", _tracking_uri(stack, place, lan_host))]
    if stack.login:
        name, password = stack.login
        found += [
            Variable("MLFLOW_TRACKING_USERNAME", name),
            Variable("MLFLOW_TRACKING_PASSWORD", password, is_secret=True),
        ]
    if stack.tls_ca and place in HERE:
        found.append(Variable(CERTIFICATES, str(Path(stack.tls_ca).absolute())))
    if workspace:
        found.append(Variable("MLFLOW_WORKSPACE", workspace))
    if _uses_s3(stack, place):
        found += _s3_variables(stack, place, lan_host)
    notes = [*_notes(stack, place)]
    if place in HERE:
        own = {*stack.urls.values()}
        urls = [one.value for one in found if one.value in own]
        notes += filter(None, [proxy_note(urls, environ)])
    return ClientEnvironment(tuple(found), tuple(notes))


def s3_endpoint(stack: Stack, place: str, lan_host: str) -> str:
    """Return the S3 endpoint URL for clients in a place, empty for Amazon's."""
    if place == CONTAINER:
        return _from_anywhere(stack, stack.site.s3, s3.NAME)
    if place != LAN:
        return stack.s3_url or ""
    if not stack.s3_provider:
        return stack.site.s3.replace(THIS_MACHINE, lan_host)
    return f"http://{url_host(lan_host)}:{_published(stack, 's3').published}"


def _check(stack: Stack, place: str, lan_host: str) -> None:
    if place == LAN and stack.site.namespace:
        raise UsageError(
            "other machines reach a stack in a cluster by its Ingress or Gateway, or by none",
            hint="set ingress.enabled and ingress.host in helm/values.override.yaml, then "
            "mlflow-compose up; MLFLOW_TRACKING_URI is then https:// and that host",
        )
    if place == LAN and not lan_host:
        raise UsageError(
            "other machines cannot reach the stack: STACK_BIND_ADDRESS is a loopback address",
            hint="set STACK_BIND_ADDRESS=0.0.0.0 and MLFLOW_AUTH=basic in .env, then "
            "mlflow-compose up",
        )
    if place == CONTAINER and not stack.site.in_containers:
        raise UsageError(
            "the stack runs without Docker, so it has no network for containers",
            hint="mlflow-compose env --for host",
        )
    if place == DIRECT and not stack.stores.uses_s3:
        raise UsageError(
            "the stack has no S3 server: its artifacts are in a folder (ARTIFACT_STORE=local)",
            hint="mlflow-compose env --for host",
        )


def _tracking_uri(stack: Stack, place: str, lan_host: str) -> str:
    if place == CONTAINER:
        return _from_anywhere(stack, stack.site.tracking, mlflow.NAME)
    if place == LAN:
        port = _published(stack, "mlflow")
        return f"{port.scheme}://{url_host(lan_host)}:{port.published}{port.path}"
    return stack.urls["mlflow"]


def _from_anywhere(stack: Stack, url: str, service: str) -> str:
    """Return the URL of a service for every namespace of its cluster, if it is in one."""
    found = stack.site.namespace
    return url.replace(f"//{service}:", f"//{found.address_of(service)}:") if found else url


def _published(stack: Stack, name: str) -> PublishedPort:
    return next(port for _, port in stack.ports if port.name == name)


def _uses_s3(stack: Stack, place: str) -> bool:
    return stack.stores.uses_s3 and DIRECT in {place, stack.artifact_access}


def _s3_variables(stack: Stack, place: str, lan_host: str) -> Iterator[Variable]:
    if endpoint := s3_endpoint(stack, place, lan_host):
        yield Variable("MLFLOW_S3_ENDPOINT_URL", endpoint)
        # What boto3 and other programs read.
        yield Variable("AWS_ENDPOINT_URL_S3", endpoint)
    key_id, secret = stack.app_key
    # Without one, clients use the credentials that they have from AWS.
    if key_id:
        yield Variable("AWS_ACCESS_KEY_ID", key_id, is_secret=True)
        yield Variable("AWS_SECRET_ACCESS_KEY", secret, is_secret=True)
    yield Variable("AWS_DEFAULT_REGION", stack.region)
    if stack.ca_certs and place in HERE:
        yield Variable("AWS_CA_BUNDLE", str(Path(stack.ca_certs).absolute()))
    if stack.checksums != "when_supported":
        yield Variable("AWS_REQUEST_CHECKSUM_CALCULATION", stack.checksums)
        yield Variable("AWS_RESPONSE_CHECKSUM_VALIDATION", stack.checksums)


def _forwarded(stack: Stack, place: str) -> Iterator[tuple[str, PublishedPort]]:
    """Yield the services of a cluster that clients on this machine use."""
    used = {mlflow.NAME, *([s3.NAME] if _uses_s3(stack, place) else [])}
    return ((port.name, port) for _, port in stack.ports if port.name in used)


def _notes(stack: Stack, place: str) -> Iterator[str]:
    if (found := stack.site.namespace) and place in HERE:
        for service, port in _forwarded(stack, place):
            command = shlex.join(found.forward(service, port.published, port.target))
            yield f"let this run meanwhile: {command}"
    if place == CONTAINER and not found:
        yield f"start the container with --network {stack.name}_{stack.network}"
    if stack.tls_ca and place == LAN:
        yield (
            f"copy {Path(stack.tls_ca).absolute()} to the other machine, and set {CERTIFICATES} "
            "there to its path"
        )
    if stack.ca_certs and _uses_s3(stack, place) and place in {CONTAINER, LAN}:
        yield (
            "S3 is verified with MINIO_STORAGE_CA_CERTS: copy that file there, and set "
            "AWS_CA_BUNDLE to its path"
        )
