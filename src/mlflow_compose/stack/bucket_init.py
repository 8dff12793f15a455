"""How the bucket job is run."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, s3
from mlflow_compose.stack.service import DIRECT, HEALTHY, NEVER, Bind, Service

NAME = "bucket-init"


def bucket_init(settings: Settings, image: str, *, built: bool) -> Service:
    """Return the one-shot job that makes the bucket and the application's key.

    Args:
        settings: What the user said.
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
            "S3_ENDPOINT": s3.ENDPOINT,
            "S3_BUCKET": settings.mlflow_bucket_name,
            "AWS_DEFAULT_REGION": settings.aws_default_region,
            "ROOT_KEY_FILE": root.path,
            "APP_KEY_FILE": app.path,
            **DIRECT,
        },
        secrets=(root, app),
        volumes=(Bind("./bucket-init", "/bucket-init", read_only=True),),
        depends_on={s3.NAME: HEALTHY},
        unprivileged=True,
    )
