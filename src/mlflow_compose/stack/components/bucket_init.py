"""How bucket-init runs."""

from collections.abc import Mapping

from mlflow_compose.stack import credentials
from mlflow_compose.stack.clients import s3_environment, s3_login, s3_secrets
from mlflow_compose.stack.components import s3
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.service import (
    HEALTHY,
    NEVER,
    STARTED,
    Bind,
    SecretFile,
    Service,
    unprivileged,
)

NAME = "bucket-init"
CREATES_BOTH = "Creates the bucket and a key that may use only that bucket, then exits."
CREATES_BUCKET = "Creates the bucket, then exits."
CHECKS = "Checks that the bucket exists and can be used, then exits."
# Variable with the path of the application's key.
KEY_FILE = "APP_KEY_FILE"
# Files that create a key; the name of the key maker completes the second.
KEY_FILES = ("app_key.py", "app_key_{}.py")


def in_container(around: Surroundings, name: str) -> Service:
    """Return the job that creates the bucket and the application's key.

    It runs in MLflow's image, which has Python, boto3 and the minio package.
    """
    maker, bundled = _key_maker(around), around.stores.bundles_s3
    job = Service(
        name=name,
        about=(CREATES_BOTH if maker else CREATES_BUCKET) if bundled else CHECKS,
        image=around.image,
        pull_policy=NEVER if around.build else None,
        restart="no",
        command=("python", "/bucket-init/bucket_init.py"),
        environment={**container_environment(around), **around.no_proxy},
        secrets=container_secrets(around),
        volumes=(Bind("./bucket-init", "/bucket-init", read_only=True),),
        extra_hosts=around.site.extra_hosts,
        depends_on=around.present({s3.NAME: STARTED}),
        folder=NAME,
        unused=_unused(maker),
    )
    return unprivileged(job)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same job without a container: rclone has one key, so there is no root key."""
    return Service(
        name=name,
        about=CREATES_BUCKET if around.stores.bundles_s3 else CHECKS,
        image=around.image,
        restart="no",
        command=("python", "bucket-init/bucket_init.py"),
        environment={**environment(around), **around.no_proxy},
        secrets=secrets(around),
        depends_on=around.present({s3.NAME: HEALTHY}),
        folder=NAME,
        shared=(f"{NAME}/",),
        unused=_unused(),
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.uses_s3 else ()


def _has_root(around: Surroundings) -> bool:
    """Tell whether the job has the root key, with which the application's key can be created."""
    return around.stores.bundles_s3 and PROVIDERS[around.settings.s3_provider].has_root


def _key_maker(around: Surroundings) -> str:
    return PROVIDERS[around.settings.s3_provider].key_maker if _has_root(around) else ""


def _unused(maker: str = "") -> frozenset[str]:
    """Return the files of other key makers, or of all if the stack needs none."""
    makers = {provider.key_maker for provider in PROVIDERS.values()} - {"", maker}
    common, own = KEY_FILES
    unused = {own.format(other) for other in makers}
    return frozenset(unused if maker else {common, *unused})


def container_environment(around: Surroundings) -> Mapping[str, str]:
    """Return the variables of the job in a container."""
    provider, found = PROVIDERS[around.settings.s3_provider], dict(environment(around))
    if around.stores.bundles_s3:
        # Polled by the job itself: faster than waiting for the next healthcheck.
        found["S3_READY"] = provider.ready
    if _has_root(around):
        found["ROOT_KEY_FILE"] = around.site.secret(credentials.ROOT_KEY)
    if maker := _key_maker(around):
        found["KEY_MAKER"] = maker
    return found


def container_secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    """Return the secrets of the job in a container."""
    root = (credentials.root_key(around.settings),) if _has_root(around) else ()
    return (*root, *secrets(around))


def secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    """Return the secrets of the job without a container."""
    return s3_secrets(around.settings, around.home)


def environment(around: Surroundings) -> Mapping[str, str]:
    """Return the variables of the job without a container."""
    settings, site = around.settings, around.site
    may_create = around.stores.bundles_s3 or settings.mlflow_bucket_create
    return {
        **({"S3_ENDPOINT": site.s3} if site.s3 else {}),
        "S3_BUCKET": settings.mlflow_bucket_name,
        **({} if may_create else {"S3_BUCKET_CREATE": "false"}),
        **s3_login(settings, site, KEY_FILE),
        **s3_environment(settings, site, around.home),
    }


BUCKET_INIT = Kind(_names, in_container, on_machine, is_job=True)
