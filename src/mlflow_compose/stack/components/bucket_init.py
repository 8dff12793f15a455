"""How bucket-init runs."""

from collections.abc import Mapping

from mlflow_compose.stack import credentials
from mlflow_compose.stack.clients import s3_environment, s3_secrets
from mlflow_compose.stack.components import s3
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.service import HEALTHY, NEVER, STARTED, Bind, Service, unprivileged

NAME = "bucket-init"
CREATES_BOTH = "Creates the bucket and a key that may use only that bucket, then exits."
CREATES_BUCKET = "Creates the bucket, then exits."
CHECKS = "Checks that the bucket exists and can be used, then exits."
# Files that create a key; the name of the key maker completes the second.
KEY_FILES = ("app_key.py", "app_key_{}.py")


def in_container(around: Surroundings, name: str) -> Service:
    """Return the job that creates the bucket and the application's key.

    It runs in MLflow's image, which has Python, boto3 and the minio package.
    """
    settings, site, bundled = around.settings, around.site, around.stores.bundles_s3
    provider = PROVIDERS[settings.s3_provider]
    # Only with a bundled server's root key can the application's key be created.
    has_root = bundled and provider.has_root
    keys = {"ROOT_KEY_FILE": site.secret(credentials.ROOT_KEY)} if has_root else {}
    maker = provider.key_maker if has_root else ""
    # Polled by the job itself: faster than waiting for the next healthcheck.
    ready = {"S3_READY": provider.ready} if bundled else {}
    chosen = {"KEY_MAKER": maker} if maker else {}
    job = Service(
        name=name,
        about=(CREATES_BOTH if maker else CREATES_BUCKET) if bundled else CHECKS,
        image=around.image,
        pull_policy=NEVER if around.build else None,
        restart="no",
        command=("python", "/bucket-init/bucket_init.py"),
        environment={**_environment(around), **ready, **keys, **chosen, **around.no_proxy},
        secrets=(
            *((credentials.root_key(settings),) if has_root else ()),
            *s3_secrets(settings, around.home),
        ),
        volumes=(Bind("./bucket-init", "/bucket-init", read_only=True),),
        extra_hosts=site.extra_hosts,
        depends_on=around.present({s3.NAME: STARTED}),
        folder=NAME,
        unused=_unused(maker),
    )
    return unprivileged(job)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same job without a container: rclone has one key, so there is no root key."""
    settings = around.settings
    return Service(
        name=name,
        about=CREATES_BUCKET if around.stores.bundles_s3 else CHECKS,
        image=around.image,
        restart="no",
        command=("python", "bucket-init/bucket_init.py"),
        environment={**_environment(around), **around.no_proxy},
        secrets=s3_secrets(settings, around.home),
        depends_on=around.present({s3.NAME: HEALTHY}),
        folder=NAME,
        shared=(f"{NAME}/",),
        unused=_unused(),
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.stores.uses_s3 else ()


def _unused(maker: str = "") -> frozenset[str]:
    """Return the files of other key makers, or of all if the stack needs none."""
    makers = {provider.key_maker for provider in PROVIDERS.values()} - {"", maker}
    common, own = KEY_FILES
    unused = {own.format(other) for other in makers}
    return frozenset(unused if maker else {common, *unused})


def _environment(around: Surroundings) -> Mapping[str, str]:
    settings, site = around.settings, around.site
    may_create = around.stores.bundles_s3 or settings.mlflow_bucket_create
    return {
        **({"S3_ENDPOINT": site.s3} if site.s3 else {}),
        "S3_BUCKET": settings.mlflow_bucket_name,
        **({} if may_create else {"S3_BUCKET_CREATE": "false"}),
        "APP_KEY_FILE": site.secret(credentials.APP_KEY),
        **s3_environment(settings, site, around.home),
    }


BUCKET_INIT = Kind(_names, in_container, on_machine, is_job=True)
