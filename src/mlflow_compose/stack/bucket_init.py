"""How the bucket job is run."""

from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, s3
from mlflow_compose.stack.service import DIRECT, HEALTHY, NEVER, Bind, Service
from mlflow_compose.stack.site import Site

NAME = "bucket-init"


def bucket_init(settings: Settings, site: Site, image: str, *, built: bool) -> Service:
    """Return the one-shot job that makes the bucket and the application's key.

    Args:
        settings: What the user said.
        site: Where services find each other.
        image: Any with Python, boto3 and the minio package: MLflow's own.
        built: Whether the image is made here, and so in no registry.
    """
    root = credentials.root_key(settings)
    app = credentials.app_key(settings)
    return Service(
        name=NAME,
        about="Makes the bucket and a key that may use only that bucket, then ends.",
        image=image,
        pull_policy=NEVER if built else None,
        restart="no",
        command=("python", "/bucket-init/bucket_init.py"),
        environment={
            **_environment(settings, site),
            "ROOT_KEY_FILE": site.secret(root),
            "APP_KEY_FILE": site.secret(app),
            **DIRECT,
        },
        secrets=(root, app),
        volumes=(Bind("./bucket-init", "/bucket-init", read_only=True),),
        depends_on={s3.NAME: HEALTHY},
        unprivileged=True,
    )


def local_bucket_init(settings: Settings, site: Site, image: str) -> Service:
    """Return the same job where the S3 server has one key, so that there is no root's."""
    app = credentials.app_key(settings)
    return Service(
        name=NAME,
        about="Makes the bucket, then ends.",
        image=image,
        restart="no",
        command=("python", "bucket-init/bucket_init.py"),
        environment={
            **_environment(settings, site),
            "APP_KEY_FILE": site.secret(app),
            **DIRECT,
        },
        secrets=(app,),
        depends_on={s3.NAME: HEALTHY},
    )


def _environment(settings: Settings, site: Site) -> Mapping[str, str]:
    return {
        "S3_ENDPOINT": site.s3,
        "S3_BUCKET": settings.mlflow_bucket_name,
        "AWS_DEFAULT_REGION": settings.aws_default_region,
    }
