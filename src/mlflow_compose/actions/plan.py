"""Plan a stack from its env file."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.actions.certificates import certificate_of
from mlflow_compose.actions.embedding import with_files
from mlflow_compose.engines import uv_program
from mlflow_compose.errors import UsageError
from mlflow_compose.identity import KEY_FILE, Identity, load_identity
from mlflow_compose.paths import StackPaths, sources, stack_paths
from mlflow_compose.render import Rendering, render
from mlflow_compose.settings import Loaded, Settings, load, public_values
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack import Host, Machine, Stack, build
from mlflow_compose.stack.components.jupyter import NOTEBOOKS
from mlflow_compose.targets import COMPOSE, TARGETS, Target


@dataclass(frozen=True)
class Plan:
    """A stack with its settings, identity and paths."""

    loaded: Loaded
    stack: Stack
    paths: StackPaths
    identity: Identity
    environ: Mapping[str, str] = field(repr=False)

    @property
    def folder(self) -> Path:
        """The folder of the stack's rendered files."""
        return self.paths.root / self.target.folder

    @property
    def target(self) -> Target:
        """The target of the stack."""
        return TARGETS[self.stack.site.target]

    def with_settings(self, values: Mapping[str, object]) -> "Plan":
        """Return the same plan with other values of settings, by field name."""
        settings = self.loaded.settings.model_copy(update=values)
        loaded = replace(self.loaded, settings=settings)
        return load_plan(loaded, self.paths, self.environ, self.target, identity=self.identity)

    @property
    def recipe(self) -> "Plan | None":
        """The plan whose files its image is built from, None if these are its own."""
        target = self.target.recipe
        if target is None or not self.stack.built:
            return None
        return load_plan(self.loaded, self.paths, self.environ, target, identity=self.identity)

    def rendering(self) -> Rendering:
        """Return the rendered files of the stack."""
        return render(self.stack)


def load_plan(  # noqa: PLR0913 - independent options
    loaded: Loaded,
    paths: StackPaths,
    environ: Mapping[str, str],
    target: Target = COMPOSE,
    folder: Path | None = None,
    *,
    identity: Identity | None = None,
) -> Plan:
    """Plan a stack.

    Args:
        loaded: The settings.
        paths: Paths of the stack.
        environ: Environment, which may set the user's cache folder.
        target: Target to render.
        folder: Output folder, by default the target's folder next to the env file.
        identity: The stack's identity if it was already read; one that is not stored yet would
            be generated again.
    """
    # Units name the files of the engine's target, which are always in the stack's folder.
    place = folder if folder and not target.runs else paths.root / target.folder
    home = os.path.relpath(paths.root, place)
    settings = loaded.settings.model_copy(update=target.without)
    identity = identity or load_identity(paths)
    if not settings.pg_password.get_secret_value():
        identity = identity.with_key()
    here = partial(this_machine, paths, identity.id, environ)
    texts = {name: sources(name) for name in target.ingredients}
    lan_names = lan_names_of(settings)
    stack = build(
        settings,
        target.site(settings, here),
        target.image(settings, texts, home, here),
        identity=identity,
        images=target.images(settings, texts, home, here),
        owner=machine.owner_of(paths.root / NOTEBOOKS),
        lan_names=lan_names,
        certificate=certificate_of(settings, paths, identity.id, lan_names),
        home=home,
        root=str(paths.root),
    )
    if target.embeds_files:
        stack = with_files(stack, place)
    return Plan(loaded, _with_settings(stack, loaded), paths, identity, environ)


def _with_settings(stack: Stack, loaded: Loaded) -> Stack:
    """Return a stack with its settings, also those that have no effect on its target."""
    return replace(stack, settings=public_values(loaded.settings))


def check_key(plan: Plan) -> None:
    """Make sure that a stack can read the secrets that are stored in its database.

    Raises:
        UsageError: The key or password that they are encrypted with is missing.
    """
    encrypted = "and this stack's stored secrets are encrypted with it"
    if plan.identity.lost_key:
        raise UsageError(
            f"{plan.paths.state / KEY_FILE} is missing, {encrypted}",
            hint="restore it from a copy of the folder; without one, delete place.json next to it, "
            "set PG_PASSWORD, and enter the secrets of webhooks and of the gateway again",
        )
    if not plan.identity.key and not plan.loaded.settings.pg_password.get_secret_value():
        raise UsageError(
            f"PG_PASSWORD is not set, {encrypted}", hint="set PG_PASSWORD back in .env"
        )


def read_settings(env_file: Path, environ: Mapping[str, str]) -> tuple[Loaded, StackPaths]:
    """Read an env file.

    Args:
        env_file: Path of the env file.
        environ: Environment, which takes precedence.

    Raises:
        EnvFileError: The file is missing, unreadable or not in its format.
        SettingsError: Some settings are wrong.
    """
    paths = stack_paths(env_file)
    return load(env_file, environ), paths


def this_machine(paths: StackPaths, identity: str, environ: Mapping[str, str]) -> Machine:
    """Return the facts about this machine that a stack without containers needs."""
    return Machine(
        cache=str(machine.cache_folder(environ)),
        python=machine.python_tag(),
        socket=machine.socket_path(paths.local, "run/supervisor.sock", identity),
        database_user=machine.database_user(),
        uv=uv_program(),
        host=Host(str(paths.root), machine.user_name(), sys.base_prefix),
    )


def lan_names_of(settings: Settings) -> tuple[str, ...]:
    """Return the names and addresses of this machine for others, none if only it can connect."""
    address = settings.stack_bind_address
    if is_loopback(address):
        return ()
    return machine.lan_names(address, socket.gethostname(), machine.own_addresses())
