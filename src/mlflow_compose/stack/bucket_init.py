"""How the bucket job is run."""

from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, s3
from mlflow_compose.stack.clients import s3_environment, s3_secrets
from mlflow_compose.stack.providers import PROVIDERS
from mlflow_compose.stack.service import DIRECT, HEALTHY, NEVER, STARTED, Bind, Service
from mlflow_compose.stack.site import Site

NAME = "bucket-init"
MAKES_BOTH = "Makes the bucket and a key that may use only that bucket, then ends."
MAKES_BUCKET = "Makes the bucket, then ends."
LOOKS = "Looks whether the bucket is there and can be used, then ends."


def bucket_init(settings: Settings, site: Site, home: str, image: str, *, built: bool) -> Service:
    """Return the one-shot job that makes the bucket and the application's key.

    Args:
        settings: What the user said.
        site: Where services find each other.
        home: The env file's folder as seen from that of the rendered files.
        image: Any with Python, boto3 and the minio package: MLflow's own.
        built: Whether the image is made here, and so in no registry.
    """
    provider = PROVIDERS[settings.s3_provider]
    root = credentials.root_key(settings)
    # Only a server of the stack's own has a root that one may ask for keys.
    keys = {"ROOT_KEY_FILE": site.secret(root)} if settings.has_s3 and provider.has_root else {}
    maker = {"KEY_MAKER": provider.key_maker} if keys and provider.key_maker else {}
    # It asks until the server is ready, which is sooner than a healthcheck would notice.
    ready = {"S3_READY": provider.ready} if settings.has_s3 else {}
    return Service(
        name=NAME,
        about=(MAKES_BOTH if maker else MAKES_BUCKET) if settings.has_s3 else LOOKS,
        image=image,
        pull_policy=NEVER if built else None,
        restart="no",
        command=("python", "/bucket-init/bucket_init.py"),
        environment={**_environment(settings, site, home), **ready, **keys, **maker, **DIRECT},
        secrets=(*((root,) if keys else ()), *s3_secrets(settings, home)),
        volumes=(Bind("./bucket-init", "/bucket-init", read_only=True),),
        extra_hosts=site.extra_hosts,
        depends_on={s3.NAME: STARTED} if settings.has_s3 else {},
        unprivileged=True,
    )


def local_bucket_init(settings: Settings, site: Site, home: str, image: str) -> Service:
    """Return the same job where the S3 server has one key, so that there is no root's."""
    return Service(
        name=NAME,
        about=MAKES_BUCKET if settings.has_s3 else LOOKS,
        image=image,
        restart="no",
        command=("python", "bucket-init/bucket_init.py"),
        environment={**_environment(settings, site, home), **DIRECT},
        secrets=s3_secrets(settings, home),
        depends_on={s3.NAME: HEALTHY} if settings.has_s3 else {},
    )


def _environment(settings: Settings, site: Site, home: str) -> Mapping[str, str]:
    may_create = settings.has_s3 or settings.mlflow_bucket_create
    return {
        **({"S3_ENDPOINT": site.s3} if site.s3 else {}),
        "S3_BUCKET": settings.mlflow_bucket_name,
        **({} if may_create else {"S3_BUCKET_CREATE": "false"}),
        "APP_KEY_FILE": site.secret(credentials.app_key(settings)),
        **s3_environment(settings, site, home),
    }
