"""systemd: units that run the files of an engine's own target."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.errors import UsageError
from mlflow_compose.settings import Settings
from mlflow_compose.stack import Image, Site
from mlflow_compose.targets.compose import COMPOSE
from mlflow_compose.targets.local import LOCAL
from mlflow_compose.targets.target import GetMachine, Target, Texts

NAME = "systemd"
BASES = {target.engine: target for target in (COMPOSE, LOCAL)}


def _base(settings: Settings) -> Target:
    base = BASES.get(settings.stack_engine)
    if not base:
        raise UsageError(
            f"units run one of the engines {' and '.join(BASES)}, and STACK_ENGINE is "
            f"{settings.stack_engine}",
            hint=f"set STACK_ENGINE in .env to {' or '.join(BASES)}",
        )
    return base


def _site(settings: Settings, machine: GetMachine) -> Site:
    base = _base(settings).site(settings, machine)
    return replace(base, target=NAME, socket="", host=machine().host)


def _image(settings: Settings, texts: Texts, home: str, machine: GetMachine) -> Image:
    return _base(settings).image(settings, texts, home, machine)


def _images(
    settings: Settings, texts: Texts, home: str, machine: GetMachine
) -> Mapping[str, Image]:
    return _base(settings).images(settings, texts, home, machine)


SYSTEMD = Target(
    name=NAME,
    engine="",
    folder=NAME,
    site=_site,
    image=_image,
    images=_images,
    ingredients=tuple(dict.fromkeys(name for base in BASES.values() for name in base.ingredients)),
    # It has none: units name those of the engine's own target.
    secret_mode=0o600,
    runs=BASES,
)
