"""Put the services of a stack together."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mlflow_compose.identity import Identity
from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.bucket_init import NAME as BUCKET_INIT
from mlflow_compose.stack.bucket_init import bucket_init, local_bucket_init
from mlflow_compose.stack.image import REQUIREMENTS, environment_folder, image_build, image_name
from mlflow_compose.stack.mlflow import TMP_VOLUME, Surroundings, local_mlflow, mlflow
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.postgres import NAME as POSTGRES
from mlflow_compose.stack.postgres import VOLUME as POSTGRES_VOLUME
from mlflow_compose.stack.postgres import local_postgres, postgres
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.rclone import rclone
from mlflow_compose.stack.s3 import s3
from mlflow_compose.stack.service import COMPLETED, HEALTHY, STARTED, Service
from mlflow_compose.stack.site import Machine, docker_site, local_site
from mlflow_compose.stack.stores import VOLUME as STORES_VOLUME
from mlflow_compose.stack.stores import Stores, stores

# Of any stack; what else carries its name belongs to services of the user's own.
VOLUMES = frozenset(
    {POSTGRES_VOLUME, STORES_VOLUME, TMP_VOLUME}
    | {provider.volume for provider in PROVIDERS.values()}
)


def build(
    settings: Settings,
    image_sources: Mapping[str, str],
    lan_names: Sequence[str] = (),
    *,
    identity: Identity,
    home: str = "..",
) -> Stack:
    """Decide everything about a stack in containers.

    Args:
        settings: What the user said.
        image_sources: Texts that the MLflow image is made of, by file name; among them the lock.
        lan_names: Names and addresses by which others on the network call this machine.
        identity: Which stack it is: everything of it carries the id.
        home: The env file's folder as seen from that of the rendered files.
    """
    site = docker_site(settings)
    kept = stores(settings, site)
    image_recipe = image_build(settings, image_sources[REQUIREMENTS], home)
    ready_made = settings.mlflow_image
    image = ready_made or image_name(settings, image_recipe, image_sources)
    others = tuple(
        _chosen(
            settings,
            kept,
            lambda: postgres(settings, site),
            lambda: s3(settings, site, home),
            lambda: bucket_init(settings, site, home, image, built=not ready_made),
        )
    )
    around = Surroundings(site, kept, _waits_for(others, STARTED), lan_names, home, identity)
    server = mlflow(settings, around, image, None if ready_made else image_recipe)
    limited = settings.has_s3 and PROVIDERS[settings.s3_provider].has_root
    return _stack(settings, around, (*others, server), key_is_limited=limited)


def build_local(  # noqa: PLR0913 - as many facts go into it
    settings: Settings,
    lock: str,
    servers: str,
    machine: Machine,
    lan_names: Sequence[str] = (),
    *,
    identity: Identity,
    home: str = "..",
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
    """
    site = local_site(settings, machine)
    kept = stores(settings, site)
    recipe = image_build(settings, lock, home, servers)
    folder = environment_folder(settings, recipe, machine)
    others = tuple(
        _chosen(
            settings,
            kept,
            lambda: local_postgres(settings, site, machine, folder),
            lambda: rclone(settings, site, folder, home),
            lambda: local_bucket_init(settings, site, home, folder),
        )
    )
    around = Surroundings(site, kept, _waits_for(others, HEALTHY), lan_names, home, identity)
    server = local_mlflow(settings, around, folder, recipe)
    # rclone knows one key, which may do everything.
    return _stack(settings, around, (*others, server), key_is_limited=False)


def _chosen(
    settings: Settings,
    kept: Stores,
    database: Callable[[], Service],
    objects: Callable[[], Service],
    bucket: Callable[[], Service],
) -> Iterator[Service]:
    """Yield the services that this stack has beside MLflow."""
    if settings.has_postgres:
        yield database()
    if settings.has_s3:
        yield objects()
    if kept.has_s3:
        yield bucket()


def _waits_for(services: Sequence[Service], database: str) -> Mapping[str, str]:
    """Return what MLflow waits for: the database, and the job that itself waits for S3."""
    conditions = {POSTGRES: database, BUCKET_INIT: COMPLETED}
    names = [service.name for service in services]
    return {name: conditions[name] for name in names if name in conditions}


def _stack(
    settings: Settings,
    around: Surroundings,
    services: tuple[Service, ...],
    *,
    key_is_limited: bool,
) -> Stack:
    return Stack(
        name=settings.compose_project_name,
        identity=around.identity.id,
        site=around.site,
        services=services,
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
    )


def _login(settings: Settings) -> tuple[str, str] | None:
    if settings.mlflow_auth == "none":
        return None
    return settings.mlflow_admin_username, credentials.reveal(settings.mlflow_admin_password)
