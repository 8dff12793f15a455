"""Settings and stacks to start from."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow_compose.identity import Identity
from mlflow_compose.paths import sources
from mlflow_compose.settings import Loaded, Settings
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.load import resolve
from mlflow_compose.settings.quoting import quote
from mlflow_compose.stack import Host, Machine, Stack, build
from mlflow_compose.targets import COMPOSE, LOCAL, Target
from mlflow_compose.targets.target import Texts
from mlflow_compose.tls import Certificate

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "mlflow_compose"

# Only used as a setting; nothing binds to it.
ANY_ADDRESS = "0.0.0.0"  # noqa: S104

IDENTITY = "0123456789abcdef"

# The target of a stack without Docker.
MACHINE = Machine(
    cache="/home/student/.cache/mlflow-compose",
    python="cpython-313-linux-x86_64",
    host=Host("/srv/lab", "student", "/home/student/.local/share/uv/python/cpython-3.13"),
)

# Fictitious, so that rendered files never change.
CERTIFICATE = Certificate(
    chain="-----BEGIN CERTIFICATE-----\nthe server's\n-----END CERTIFICATE-----\n",
    key="-----BEGIN PRIVATE KEY-----\nof the server\n-----END PRIVATE KEY-----\n",
    names=("localhost", "127.0.0.1", "classroom", "192.0.2.10"),
    ca="-----BEGIN CERTIFICATE-----\nthe CA's\n-----END CERTIFICATE-----\n",
    is_own=True,
)

SECRETS: Mapping[str, str] = {
    "PG_PASSWORD": "pg-password-of-the-sample",
    "MINIO_ACCESS_KEY": "app-key-of-the-sample",
    "MINIO_SECRET_ACCESS_KEY": "app-secret-of-the-sample",
    "MINIO_ROOT_USER": "root-of-the-sample",
    "MINIO_ROOT_PASSWORD": "root-password-of-the-sample",
    "MLFLOW_ADMIN_PASSWORD": "admin-password-of-the-sample",
    "JUPYTER_TOKEN": "token-of-the-sample",
    "PGADMIN_PASSWORD": "pgadmin-password-of-the-sample",
    "CLASS_SECRET": "class-secret-of-the-whole-sample",
    "CLASS_PASSWORD": "class-password-of-the-sample",
}


def env_text(*lines: str, without: Sequence[str] = ()) -> str:
    """Return an env file with every secret that a stack needs, and these lines."""
    names = {match[1] for line in lines if (match := re.match(r"\s*(?:export )?(\w+)", line))}
    remaining = {name: value for name, value in SECRETS.items() if name not in {*without, *names}}
    return "".join(f"{line}\n" for line in [*(f"{n}={v}" for n, v in remaining.items()), *lines])


def loaded(environ: Mapping[str, str] | None = None, /, **values: str) -> Loaded:
    """Return the settings of an env file with these values and of this environment."""
    lines = "".join(f"{n}={quote(v)}\n" for n, v in {**SECRETS, **values}.items())
    return resolve(parse(lines), environ or {}, env_file=Path(".env"))


def settings(**values: str) -> Settings:
    """Return settings with these values, spelled as in an env file."""
    return loaded(**values).settings


def stack(*, lan_names: Sequence[str] = (), **values: str) -> Stack:
    """Return a stack with these settings."""
    return built(settings(**values), COMPOSE, lan_names=lan_names)


def local_stack(
    machine: Machine = MACHINE, /, *, lan_names: Sequence[str] = (), **values: str
) -> Stack:
    """Return a stack without Docker with these settings."""
    return built(settings(STACK_ENGINE="local", **values), LOCAL, machine, lan_names=lan_names)


def built(
    chosen: Settings,
    target: Target,
    machine: Machine = MACHINE,
    texts: Texts | None = None,
    *,
    lan_names: Sequence[str] = (),
) -> Stack:
    """Return the stack of some settings for a target, by default with the packaged texts."""
    texts = texts or ingredients(target)
    chosen = chosen.model_copy(update=target.without)
    site = target.site(chosen, lambda: machine)
    image = target.image(chosen, texts, "..", lambda: machine)
    images = target.images(chosen, texts, "..", lambda: machine)
    return build(
        chosen,
        site,
        image,
        identity=Identity(IDENTITY),
        images=images,
        lan_names=lan_names,
        certificate=CERTIFICATE if chosen.uses_tls else None,
    )


def ingredients(target: Target) -> Texts:
    """Return the texts that an image is built from."""
    return {name: sources(name) for name in target.ingredients}
