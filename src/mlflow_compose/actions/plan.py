"""From an env file to everything that is decided about its stack."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.paths import StackPaths, sources
from mlflow_compose.render import Rendering, render_compose
from mlflow_compose.settings import Loaded, Settings, load
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack import Stack, build


@dataclass(frozen=True)
class Plan:
    """A stack, the settings that it was made from, and where its files are."""

    loaded: Loaded
    stack: Stack
    paths: StackPaths

    def rendering(self) -> Rendering:
        """Return the files of the stack, as they should be on disk."""
        return render_compose(self.stack)


def load_plan(env_file: Path, environ: Mapping[str, str], folder: Path | None = None) -> Plan:
    """Read an env file and decide everything about its stack.

    Args:
        env_file: Where the settings are.
        environ: What wins over them.
        folder: Where the files will be, if not in `compose/` beside the env file.

    Raises:
        EnvFileError: The file is missing, unreadable or not in its format.
        SettingsError: Some settings are wrong.
    """
    loaded = load(env_file, environ)
    paths = StackPaths(env_file.absolute())
    home = os.path.relpath(paths.root, folder or paths.compose)
    stack = build(loaded.settings, image_sources(), _lan_names(loaded.settings), home=home)
    return Plan(loaded, stack, paths)


def image_sources() -> Mapping[str, str]:
    """Return the texts that the MLflow image is made of, by file name."""
    return {**sources("compose/mlflow"), **sources("shared")}


def _lan_names(settings: Settings) -> tuple[str, ...]:
    address = settings.stack_bind_address
    if is_loopback(address):
        return ()
    return machine.lan_names(address, socket.gethostname(), machine.own_addresses())
