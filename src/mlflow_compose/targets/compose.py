"""Docker Compose: services in containers."""

from collections.abc import Mapping

from mlflow_compose.paths import OVERRIDE_FILE
from mlflow_compose.settings import Settings
from mlflow_compose.stack import (
    DOCKER,
    REQUIREMENTS,
    Image,
    Site,
    container_image,
    docker_site,
    notebook_image,
)
from mlflow_compose.targets.target import GetMachine, Target, Texts

IMAGE, LOCK = "compose/mlflow", "shared"
JUPYTER, JUPYTER_LOCK = "compose/jupyter", "jupyter"


def _site(settings: Settings, _: GetMachine) -> Site:
    return docker_site(settings)


def _image(settings: Settings, texts: Texts, home: str, _: GetMachine) -> Image:
    return container_image(settings, {**texts[IMAGE], **texts[LOCK]}, home)


def _images(settings: Settings, texts: Texts, home: str, _: GetMachine) -> Mapping[str, Image]:
    if not settings.jupyter:
        return {}
    lock = texts[JUPYTER_LOCK][REQUIREMENTS]
    # Its recipe includes parts of MLflow's.
    parts = {name: texts[IMAGE][name] for name in notebook_image.INCLUDED}
    sources = {**texts[JUPYTER], **parts}
    return {"jupyter": notebook_image.container_image(settings, lock, sources, home)}


COMPOSE = Target(
    name="compose",
    engine=DOCKER,
    folder="compose",
    site=_site,
    image=_image,
    images=_images,
    ingredients=(IMAGE, LOCK, JUPYTER, JUPYTER_LOCK),
    # Secrets are bind mounts that containers' users read without owning them; the folder's mode
    # keeps other users out.
    secret_mode=0o444,
    override=OVERRIDE_FILE,
    identity_file=".env",
    # All services have a restart policy.
    daemon="docker.service",
)
