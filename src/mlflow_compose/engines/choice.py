"""Choose the engine of a stack: the requested one, or one that this machine can run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.engines.base import Engine
from mlflow_compose.engines.docker import DockerEngine
from mlflow_compose.engines.docker.availability import problem
from mlflow_compose.engines.kubernetes import KubernetesEngine
from mlflow_compose.engines.kubernetes.contexts import Located
from mlflow_compose.engines.kubernetes.contexts import locate as locate_cluster
from mlflow_compose.engines.kubernetes.unsupported import UNSUPPORTED
from mlflow_compose.engines.local import LocalEngine
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.engines.local.supervisor import is_running
from mlflow_compose.errors import UsageError
from mlflow_compose.identity import Identity
from mlflow_compose.paths import StackPaths
from mlflow_compose.settings import Settings
from mlflow_compose.stack import DOCKER, KUBERNETES, LOCAL, Stack

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
        wanted: auto, or the name of an engine.
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


def _kubernetes(
    stack: Stack, paths: StackPaths, identity: Identity, environ: Mapping[str, str]
) -> Engine:
    del identity
    return KubernetesEngine(stack, paths, environ)


def locate(
    engine: str,
    settings: Settings,
    started_with: Mapping[str, object],
    environ: Mapping[str, str],
) -> Located:
    """Return where a stack is, as far as its settings do not say it.

    Args:
        engine: Name of its engine.
        settings: Validated settings.
        started_with: Values of settings when it was last started on this engine, by name.
        environ: Environment.
    """
    find = LOCATORS.get(engine)
    return find(settings, started_with, environ) if find else Located()


def is_elsewhere(engine: str) -> bool:
    """Tell whether an engine runs stacks in a place that has to be found."""
    return engine in LOCATORS


def check_supports(engine: str, command: str) -> None:
    """Make sure that a command can be used with a stack on an engine.

    Raises:
        UsageError: It cannot.
    """
    if instead := LACKING.get(engine, {}).get(command):
        raise UsageError(
            f"mlflow-compose {command} cannot be used with STACK_ENGINE={engine}", hint=instead
        )


LOCATORS: Mapping[str, Callable[[Settings, Mapping[str, object], Mapping[str, str]], Located]] = {
    KUBERNETES: locate_cluster,
}
# What to do instead, for the commands that an engine does not have.
LACKING: Mapping[str, Mapping[str, str]] = {KUBERNETES: UNSUPPORTED}
ENGINES: Mapping[str, Callable[[Stack, StackPaths, Identity, Mapping[str, str]], Engine]] = {
    DOCKER: _docker,
    LOCAL: _local,
    KUBERNETES: _kubernetes,
}
