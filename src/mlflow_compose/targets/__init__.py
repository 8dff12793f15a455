"""What a stack can be rendered as: one record for each target.

A record defines where services find their files and each other, what they run from, which
templates are rendered and how, and which engine runs the result, if any. To add a target, write a
module with its record and a folder below `templates/`, list it here, and add its secrets to
`.gitignore`.
"""

from collections.abc import Mapping

from mlflow_compose.targets.compose import COMPOSE
from mlflow_compose.targets.helm import HELM
from mlflow_compose.targets.local import LOCAL
from mlflow_compose.targets.systemd import SYSTEMD
from mlflow_compose.targets.target import Target
from mlflow_compose.targets.terraform import TERRAFORM

TARGETS: Mapping[str, Target] = {
    target.name: target for target in (COMPOSE, LOCAL, HELM, SYSTEMD, TERRAFORM)
}


def engines() -> tuple[str, ...]:
    """Return the names of the engines that run a target."""
    return tuple(target.engine for target in TARGETS.values() if target.engine)


def target_of(engine: str) -> Target:
    """Return the target that an engine runs."""
    return next(target for target in TARGETS.values() if target.engine == engine)


__all__ = [
    "COMPOSE",
    "HELM",
    "LOCAL",
    "SYSTEMD",
    "TARGETS",
    "TERRAFORM",
    "Target",
    "engines",
    "target_of",
]
