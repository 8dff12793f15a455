"""Docker Compose: services in containers."""

from collections.abc import Mapping

from mlflow_compose.paths import OVERRIDE_FILE
from mlflow_compose.settings import Settings
from mlflow_compose.stack import (
    DOCKER,
    INCLUDED,
    REQUIREMENTS,
    Image,
    Site,
    container_image,
    docker_site,
    notebook_image,
    pgadmin_image,
    proxy_image,
)
from mlflow_compose.targets.target import GetMachine, Target, Texts

IMAGE, LOCK = "compose/mlflow", "shared"
JUPYTER, JUPYTER_LOCK = "compose/jupyter", "jupyter"
PGADMIN, PGADMIN_LOCK = "compose/pgadmin", "pgadmin"
PROXY, PROXY_LOCK = "compose/proxy", "proxy"
# Files in the proxy's folder that are not part of its image.
OF_STACK = ("Caddyfile.j2", "ca.crt.j2")


def _site(settings: Settings, _: GetMachine) -> Site:
    return docker_site(settings)


def _image(settings: Settings, texts: Texts, home: str, _: GetMachine) -> Image:
    return container_image(settings, {**texts[IMAGE], **texts[LOCK]}, home)


def _images(settings: Settings, texts: Texts, home: str, _: GetMachine) -> Mapping[str, Image]:
    # The recipes include parts of MLflow's.
    parts = {name: texts[IMAGE][name] for name in INCLUDED}
    found = {}
    if settings.jupyter:
        lock, sources = texts[JUPYTER_LOCK][REQUIREMENTS], {**texts[JUPYTER], **parts}
        found["jupyter"] = notebook_image.container_image(settings, lock, sources, home)
    if settings.pgadmin:
        lock, sources = texts[PGADMIN_LOCK][REQUIREMENTS], {**texts[PGADMIN], **parts}
        found["pgadmin"] = pgadmin_image.container_image(settings, lock, sources, home)
    if settings.uses_proxy:
        own = {name: text for name, text in texts[PROXY].items() if name not in OF_STACK}
        lock = texts[PROXY_LOCK][REQUIREMENTS]
        found["proxy"] = proxy_image.container_image(settings, lock, {**own, **parts}, home)
    return found


COMPOSE = Target(
    name="compose",
    engine=DOCKER,
    folder="compose",
    site=_site,
    image=_image,
    images=_images,
    ingredients=(
        *(IMAGE, LOCK, JUPYTER, JUPYTER_LOCK),
        *(PGADMIN, PGADMIN_LOCK, PROXY, PROXY_LOCK),
    ),
    # Secrets are bind mounts that containers' users read without owning them; the folder's mode
    # keeps other users out.
    secret_mode=0o444,
    override=OVERRIDE_FILE,
    identity_file=".env",
    # All services have a restart policy.
    daemon="docker.service",
)
