"""Put the services of a stack together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlflow_compose.identity import Identity
from mlflow_compose.settings import Settings
from mlflow_compose.settings.pgadmin import PGADMIN_EMAIL
from mlflow_compose.stack import credentials, keys
from mlflow_compose.stack.components import proxy
from mlflow_compose.stack.components.kind import NO_CERTIFICATE, Surroundings
from mlflow_compose.stack.image import Image
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.providers import provider_of
from mlflow_compose.stack.seats import seat_settings
from mlflow_compose.stack.service import from_home
from mlflow_compose.stack.services import services
from mlflow_compose.stack.site import Site
from mlflow_compose.stack.stores import stores
from mlflow_compose.stack.tls import host_here
from mlflow_compose.tls import Certificate


def build(  # noqa: PLR0913 - independent inputs
    settings: Settings,
    site: Site,
    image: Image,
    *,
    identity: Identity,
    images: Mapping[str, Image] | None = None,
    owner: tuple[int, int] | None = None,
    lan_names: Sequence[str] = (),
    certificate: Certificate | None = None,
    home: str = "..",
    root: str = ".",
) -> Stack:
    """Return the stack that the settings describe.

    Args:
        settings: Validated settings.
        site: Paths and addresses of the target.
        image: Image of MLflow and bucket-init.
        identity: Stack id, which everything of the stack carries.
        images: Images of other services, by name.
        owner: User and group that own the stack's folder, None for root or if unknown.
        lan_names: Names and addresses of this machine on the network.
        certificate: Certificate of the proxy, None without one.
        home: The env file's folder, relative to the rendered files.
        root: The same folder, relative to this process.
    """
    around = Surroundings(
        settings=settings,
        site=site,
        stores=stores(settings, site),
        identity=identity,
        home=home,
        lan_names=lan_names,
        image=image.name,
        build=image.build,
        images=images or {},
        owner=owner,
        certificate=certificate or NO_CERTIFICATE,
    )
    return _with_tls(_stack(around, root), around, root)


def _stack(around: Surroundings, root: str) -> Stack:
    settings, site = around.settings, around.site
    certificates = settings.minio_storage_ca_certs
    found = services(around)
    return Stack(
        name=settings.compose_project_name,
        identity=around.identity.id,
        site=site,
        services=tuple(service for service in found if not service.is_tool),
        stores=around.stores,
        artifact_access=settings.mlflow_artifact_access,
        s3_provider=settings.s3_provider if around.stores.bundles_s3 else "",
        key_is_limited=around.stores.bundles_s3 and provider_of(settings, site).has_root,
        mlflow_version=settings.mlflow_version,
        login=_login(settings),
        app_key=_app_key(settings),
        region=settings.aws_default_region,
        checksums=settings.minio_storage_checksums,
        jupyter_token=credentials.reveal(settings.jupyter_token) if settings.jupyter else "",
        pgadmin_login=_pgadmin_login(settings),
        sensitive=_sensitive(around),
        tools=tuple(service for service in found if service.is_tool),
        workspaces=settings.mlflow_workspaces,
        reader=keys.reader(settings, around.identity.id) if around.stores.uses_postgres else None,
        ca_certs=from_home(certificates, root) if certificates else "",
    )


def _sensitive(around: Surroundings) -> tuple[str, ...]:
    """Return every secret text, longest first: also those of the seats."""
    settings, identity = around.settings, around.identity.id
    seats = [seat_settings(settings, seat) for seat in settings.seats]
    found = {text for each in (settings, *seats) for text in credentials.texts(each, identity)}
    return tuple(sorted(found, key=len)[::-1])


def _with_tls(stack: Stack, around: Surroundings, root: str) -> Stack:
    """Add what clients on this machine must know about the proxy, if there is one."""
    settings, certificate = around.settings, around.certificate
    if not settings.uses_tls:
        return stack
    ca_file = f"{root}/{stack.site.target}/{proxy.NAME}/{proxy.CA_FILE}"
    return replace(
        stack,
        tls_host=host_here(certificate, settings, around.lan_names),
        tls_ca=ca_file if certificate.ca else "",
        certificate=certificate,
    )


def _app_key(settings: Settings) -> tuple[str, str]:
    if settings.uses_role:
        return "", ""
    return (
        credentials.reveal(settings.minio_access_key),
        credentials.reveal(settings.minio_secret_access_key),
    )


def _login(settings: Settings) -> tuple[str, str] | None:
    if settings.mlflow_auth == "none":
        return None
    return settings.mlflow_admin_username, credentials.reveal(settings.mlflow_admin_password)


def _pgadmin_login(settings: Settings) -> tuple[str, str] | None:
    if not settings.pgadmin:
        return None
    return PGADMIN_EMAIL, credentials.reveal(settings.pgadmin_password)
