"""This machine, without containers: services as processes that supervisord watches."""

from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import LOCAL as ENGINE
from mlflow_compose.stack import (
    REQUIREMENTS,
    Image,
    Site,
    local_site,
    notebook_image,
    package_folder,
    pgadmin_image,
    proxy_image,
)
from mlflow_compose.targets.target import GetMachine, Target, Texts

LOCK, SERVERS, JUPYTER_LOCK, PGADMIN_LOCK = "shared", "local", "jupyter", "pgadmin"
PROXY_LOCK = "proxy"


def _site(settings: Settings, machine: GetMachine) -> Site:
    return local_site(settings, machine())


def _image(settings: Settings, texts: Texts, home: str, machine: GetMachine) -> Image:
    lock, servers = (texts[folder][REQUIREMENTS] for folder in (LOCK, SERVERS))
    return package_folder(settings, lock, servers, home, machine())


def _images(
    settings: Settings, texts: Texts, home: str, machine: GetMachine
) -> Mapping[str, Image]:
    found = {}
    if settings.jupyter:
        lock = texts[JUPYTER_LOCK][REQUIREMENTS]
        found["jupyter"] = notebook_image.package_folder(settings, lock, home, machine())
    if settings.pgadmin:
        lock = texts[PGADMIN_LOCK][REQUIREMENTS]
        found["pgadmin"] = pgadmin_image.package_folder(settings, lock, home, machine())
    if settings.uses_tls:
        lock = texts[PROXY_LOCK][REQUIREMENTS]
        found["proxy"] = proxy_image.package_folder(settings, lock, home, machine())
    return found


LOCAL = Target(
    name="local",
    engine=ENGINE,
    folder="local",
    site=_site,
    image=_image,
    images=_images,
    ingredients=(LOCK, SERVERS, JUPYTER_LOCK, PGADMIN_LOCK, PROXY_LOCK),
    # Only read by the user that starts the stack.
    secret_mode=0o600,
    # supervisord does not create them.
    folders=("logs", "run"),
    # More processes of one server do the same.
    without={"mlflow_replicas": 1},
)
