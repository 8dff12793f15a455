"""Docker Compose: services in containers."""

from mlflow_compose.paths import OVERRIDE_FILE
from mlflow_compose.settings import Settings
from mlflow_compose.stack import DOCKER, Image, Site, container_image, docker_site
from mlflow_compose.targets.target import GetMachine, Target, Texts

IMAGE, LOCK = "compose/mlflow", "shared"


def _site(settings: Settings, _: GetMachine) -> Site:
    return docker_site(settings)


def _image(settings: Settings, texts: Texts, home: str, _: GetMachine) -> Image:
    return container_image(settings, {**texts[IMAGE], **texts[LOCK]}, home)


COMPOSE = Target(
    name="compose",
    engine=DOCKER,
    folder="compose",
    site=_site,
    image=_image,
    ingredients=(IMAGE, LOCK),
    # Secrets are bind mounts that containers' users read without owning them; the folder's mode
    # keeps other users out.
    secret_mode=0o444,
    override=OVERRIDE_FILE,
    identity_file=".env",
)
