"""Put the services of a stack together."""

from collections.abc import Mapping, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.bucket_init import bucket_init
from mlflow_compose.stack.mlflow import REQUIREMENTS, image_build, image_name, mlflow
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.postgres import postgres
from mlflow_compose.stack.s3 import s3


def build(
    settings: Settings,
    image_sources: Mapping[str, str],
    lan_names: Sequence[str] = (),
    *,
    home: str = "..",
) -> Stack:
    """Decide everything about a stack.

    Args:
        settings: What the user said.
        image_sources: Texts that the MLflow image is made of, by file name; among them the lock.
        lan_names: Names and addresses by which others on the network call this machine.
        home: The env file's folder as seen from that of the rendered files.
    """
    image_recipe = image_build(settings, image_sources[REQUIREMENTS], home)
    ready_made = settings.mlflow_image
    image = ready_made or image_name(settings, image_recipe, image_sources)
    return Stack(
        name=settings.compose_project_name,
        services=(
            postgres(settings),
            s3(settings, home),
            bucket_init(settings, image, built=not ready_made),
            mlflow(settings, image, None if ready_made else image_recipe, lan_names),
        ),
        bucket=settings.mlflow_bucket_name,
        artifact_access=settings.mlflow_artifact_access,
        mlflow_version=settings.mlflow_version,
        login=_login(settings),
        app_key=(
            credentials.reveal(settings.minio_access_key),
            credentials.reveal(settings.minio_secret_access_key),
        ),
        region=settings.aws_default_region,
        sensitive=credentials.texts(settings),
    )


def _login(settings: Settings) -> tuple[str, str] | None:
    if settings.mlflow_auth == "none":
        return None
    return settings.mlflow_admin_username, credentials.reveal(settings.mlflow_admin_password)
