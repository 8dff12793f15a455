"""Which cluster a stack runs in: never one that only happens to be kubectl's current one."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlflow_compose.engines.kubernetes.availability import check_programs
from mlflow_compose.errors import EngineError
from mlflow_compose.settings import Settings
from mlflow_compose.stack import namespace_of
from mlflow_compose.stack.namespace import KUBECTL

CONTEXT = "KUBE_CONTEXT"


@dataclass(frozen=True)
class Located:
    """Where a stack is, as far as its settings do not say it.

    Attributes:
        settings: Values of settings, by field name.
        question: Question to confirm before a command changes something there, empty if there is
            no doubt.
        answer: What to set instead of answering it.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    question: str = ""
    answer: str = ""


def locate(
    settings: Settings, started_in: Mapping[str, object], environ: Mapping[str, str]
) -> Located:
    """Return the context of a stack: the setting, where it was started, or the current one.

    Args:
        settings: Validated settings.
        started_in: Values of settings when the stack was last started, by name.
        environ: Environment of kubectl.

    Raises:
        EngineError: There is no kubectl, or no current context.
    """
    if settings.kube_context:
        return Located()
    if context := str(started_in.get(CONTEXT, "")):
        return Located({"kube_context": context})
    check_programs(environ, KUBECTL)
    if not (context := current(environ)):
        raise EngineError(
            "kubectl has no current context, so there is no cluster to use",
            hint=f"set {CONTEXT} in .env; kubectl config get-contexts lists contexts",
        )
    return Located(
        {"kube_context": context},
        f"Use the cluster of kubectl's current context {context}, namespace "
        f"{namespace_of(settings)}?",
        f"{CONTEXT}={context}",
    )


def current(environ: Mapping[str, str]) -> str:
    """Return kubectl's current context, empty if it has none."""
    done = subprocess.run(  # noqa: S603 - a list from this package
        [KUBECTL, "config", "current-context"],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.stdout.decode(errors="replace").strip()
