"""Change settings of a stack in its env file, and plan the stack after that."""

from collections.abc import Mapping

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.plan import Plan, load_plan
from mlflow_compose.errors import UsageError
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.load import ENVIRONMENT, resolve


def with_values(plan: Plan, values: Mapping[str, str], during: str) -> tuple[EnvChange, Plan]:
    """Return the change of the env file for other values, and the plan after it.

    Args:
        plan: The stack.
        values: New values, by variable.
        during: The command that changes them, for errors.

    Raises:
        UsageError: The environment sets one of the variables.
        SettingsError: A new value is wrong.
    """
    env_file = plan.paths.env_file
    for name in values:
        if plan.loaded.sources.get(name) == ENVIRONMENT:
            raise UsageError(
                f"{name} is set in the environment, which takes precedence over {env_file.name}",
                hint=f"unset {name}",
            )
    # Not in text mode, which would change line endings.
    text = env_file.read_bytes().decode()
    change = EnvChange(env_file, text, values, during)
    loaded = resolve(parse(change.after, name=env_file.name), plan.environ, env_file=env_file)
    return change, load_plan(loaded, plan.paths, plan.environ, plan.target, identity=plan.identity)
