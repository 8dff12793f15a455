"""What a stack can be rendered as: one record for each target.

A record says where services find their files and each other, what they run from, which templates
are laid out and how, and which engine runs the result, if one does. To add a target, write a module
with its record and its folder below `templates/`, name it here, and its secrets in `.gitignore`.
"""

from collections.abc import Mapping

from mlflow_compose.targets.compose import COMPOSE
from mlflow_compose.targets.local import LOCAL
from mlflow_compose.targets.target import Target

TARGETS: Mapping[str, Target] = {target.name: target for target in (COMPOSE, LOCAL)}


def engines() -> tuple[str, ...]:
    """Return the names of the engines that run a target."""
    return tuple(target.engine for target in TARGETS.values() if target.engine)


def target_of(engine: str) -> Target:
    """Return the target that an engine runs."""
    return next(target for target in TARGETS.values() if target.engine == engine)


__all__ = ["COMPOSE", "LOCAL", "TARGETS", "Target", "engines", "target_of"]
