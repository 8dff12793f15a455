"""Put the services of a stack together."""

from collections.abc import Mapping, Sequence

from mlflow_compose.identity import Identity
from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.components.kind import Surroundings
from mlflow_compose.stack.image import REQUIREMENTS, environment_folder, image_build, image_name
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.service import from_home
from mlflow_compose.stack.services import services
from mlflow_compose.stack.site import Machine, docker_site, local_site
from mlflow_compose.stack.stores import stores


def build(  # noqa: PLR0913 - as many facts go into it
    settings: Settings,
    image_sources: Mapping[str, str],
    lan_names: Sequence[str] = (),
    *,
    identity: Identity,
    home: str = "..",
    root: str = ".",
) -> Stack:
    """Decide everything about a stack in containers.

    Args:
        settings: What the user said.
        image_sources: Texts that the MLflow image is made of, by file name; among them the lock.
        lan_names: Names and addresses by which others on the network call this machine.
        identity: Which stack it is: everything of it carries the id.
        home: The env file's folder as seen from that of the rendered files.
        root: The same folder as this process sees it.
    """
    site = docker_site(settings)
    recipe = image_build(settings, image_sources[REQUIREMENTS], home)
    ready_made = settings.mlflow_image
    limited = settings.has_s3 and PROVIDERS[settings.s3_provider].has_root
    around = Surroundings(
        settings=settings,
        site=site,
        stores=stores(settings, site),
        identity=identity,
        home=home,
        lan_names=lan_names,
        image=ready_made or image_name(settings, recipe, image_sources),
        build=None if ready_made else recipe,
    )
    return _stack(around, root, key_is_limited=limited)


def build_local(  # noqa: PLR0913 - as many facts go into it
    settings: Settings,
    lock: str,
    servers: str,
    machine: Machine,
    lan_names: Sequence[str] = (),
    *,
    identity: Identity,
    home: str = "..",
    root: str = ".",
) -> Stack:
    """Decide everything about a stack without containers.

    Args:
        settings: What the user said.
        lock: Requirements that pin every package of the default MLflow.
        servers: Requirements of the servers that come as packages: PostgreSQL and rclone.
        machine: What it runs on.
        lan_names: Names and addresses by which others on the network call this machine.
        identity: Which stack it is: everything of it carries the id.
        home: The env file's folder as seen from that of the rendered files.
        root: The same folder as this process sees it.
    """
    site = local_site(settings, machine)
    recipe = image_build(settings, lock, home, servers)
    around = Surroundings(
        settings=settings,
        site=site,
        stores=stores(settings, site),
        identity=identity,
        home=home,
        lan_names=lan_names,
        image=environment_folder(settings, recipe, machine),
        build=recipe,
    )
    # rclone knows one key, which may do everything.
    return _stack(around, root, key_is_limited=False)


def _stack(around: Surroundings, root: str, *, key_is_limited: bool) -> Stack:
    settings = around.settings
    certificates = settings.minio_storage_ca_certs
    return Stack(
        name=settings.compose_project_name,
        identity=around.identity.id,
        site=around.site,
        services=services(around),
        stores=around.stores,
        artifact_access=settings.mlflow_artifact_access,
        s3_provider=settings.s3_provider if settings.has_s3 else "",
        key_is_limited=key_is_limited,
        mlflow_version=settings.mlflow_version,
        login=_login(settings),
        app_key=(
            credentials.reveal(settings.minio_access_key),
            credentials.reveal(settings.minio_secret_access_key),
        ),
        region=settings.aws_default_region,
        checksums=settings.minio_storage_checksums,
        sensitive=credentials.texts(settings),
        ca_certs=from_home(certificates, root) if certificates else "",
    )


def _login(settings: Settings) -> tuple[str, str] | None:
    if settings.mlflow_auth == "none":
        return None
    return settings.mlflow_admin_username, credentials.reveal(settings.mlflow_admin_password)
