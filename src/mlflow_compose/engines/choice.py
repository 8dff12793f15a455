"""Choose the engine of a stack: the requested one, or one that this machine can run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.engines.base import Engine
from mlflow_compose.engines.docker import DockerEngine
from mlflow_compose.engines.docker.availability import problem
from mlflow_compose.engines.local import LocalEngine
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.supervisor import is_running
from mlflow_compose.identity import Identity
from mlflow_compose.paths import StackPaths
from mlflow_compose.stack import DOCKER, LOCAL, Stack

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """An engine, and why it was chosen; no reason if the user chose it."""

    engine: str
    why: str = ""


def choose(
    wanted: str, paths: StackPaths, identity: Identity, with_data: Sequence[str] = ()
) -> Choice:
    """Return the engine of a stack: the one that has its data, otherwise Docker if it answers.

    Args:
        wanted: auto, docker or local.
        paths: Paths of the stack.
        identity: Stack id.
        with_data: Engines that hold data of the stack.
    """
    if wanted != AUTO:
        return Choice(wanted)
    if is_running(Owner(identity.id, paths.local)):
        return Choice(LOCAL, "it runs this stack already")
    if len(with_data) == 1:
        return Choice(with_data[0], "it has the data of this stack")
    why_not = problem()
    return Choice(LOCAL, why_not.message) if why_not else Choice(DOCKER, "Docker answers")


def open_engine(
    stack: Stack, paths: StackPaths, identity: Identity, environ: Mapping[str, str]
) -> Engine:
    """Return the engine that runs a stack."""
    return ENGINES[stack.site.engine](stack, paths, identity, environ)


def _docker(
    stack: Stack, paths: StackPaths, identity: Identity, environ: Mapping[str, str]
) -> Engine:
    del identity, environ
    return DockerEngine(stack, paths)


def _local(
    stack: Stack, paths: StackPaths, identity: Identity, environ: Mapping[str, str]
) -> Engine:
    return LocalEngine(stack, paths, environ, identity.copied_from)


ENGINES: Mapping[str, Callable[[Stack, StackPaths, Identity, Mapping[str, str]], Engine]] = {
    DOCKER: _docker,
    LOCAL: _local,
}
