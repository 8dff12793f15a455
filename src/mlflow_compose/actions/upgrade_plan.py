"""Plan an upgrade: which versions a stack has, and which it will have."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.plan import Plan, check_key, load_plan
from mlflow_compose.actions.versions import (
    MLFLOW,
    POSTGRES,
    Versions,
    numbers,
    recorded,
    versions_of,
)
from mlflow_compose.errors import UsageError
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.load import ENVIRONMENT, resolve
from mlflow_compose.settings.server import PINNED_MLFLOW

LABELS = {MLFLOW: "MLflow", POSTGRES: "PostgreSQL's image"}


@dataclass(frozen=True)
class UpgradePlan:
    """A stack before and after an upgrade.

    Attributes:
        old: The stack with the versions that wrote its data.
        new: The stack with the new versions.
        env: Change of the env file.
    """

    old: Plan
    new: Plan
    env: EnvChange

    @property
    def before(self) -> Versions:
        """The old versions, by setting."""
        return versions_of(self.old)

    @property
    def after(self) -> Versions:
        """The new versions, by setting."""
        return versions_of(self.new)

    @property
    def changes(self) -> Mapping[str, tuple[str, str]]:
        """Old and new version by setting, for those that change."""
        both = self.before.items()
        return {name: (old, self.after[name]) for name, old in both if old != self.after[name]}

    @property
    def lines(self) -> list[str]:
        """What changes, as text."""
        found = [f"{LABELS[name]}: {old} to {new}" for name, (old, new) in self.changes.items()]
        if names := ", ".join(self.env.values):
            found.append(f"{self.env.path.name}: {names}")
        return found


def plan_upgrade(
    plan: Plan, to: str | None, postgres: str | None, environ: Mapping[str, str]
) -> UpgradePlan:
    """Plan the upgrade of a stack.

    Without a version, MLflow becomes that of the env file if it has been edited since the last
    start, otherwise the default of this tool if that is newer.

    Args:
        plan: The stack as its env file says.
        to: Version of MLflow, None for that.
        postgres: Image of PostgreSQL, None for that of the env file.
        environ: Environment, which takes precedence over env files.

    Raises:
        UsageError: This upgrade is not possible.
        SettingsError: A version is not one that a stack can have.
    """
    check_key(plan)
    now = versions_of(plan)
    before = {**now, **{name: old for name, old in recorded(plan).items() if name in now}}
    wanted = {**now, **_wanted(before, now, to, postgres)}
    values = {name: version for name, version in wanted.items() if version != now[name]}
    env = _change(plan, values)
    file = parse(env.after, name=env.path.name)
    loaded = resolve(file, environ, env_file=env.path)
    for name in values:
        if loaded.sources.get(name) == ENVIRONMENT:
            raise UsageError(
                f"{name} is set in the environment, which takes precedence over {env.path.name}",
                hint=f"unset {name}",
            )
    new = load_plan(loaded, plan.paths, environ, plan.target, identity=plan.identity)
    old = plan.with_settings({name.lower(): version for name, version in before.items()})
    return _checked(UpgradePlan(old, new, env))


def _wanted(
    before: Versions, now: Versions, to: str | None, postgres: str | None
) -> Mapping[str, str]:
    """Return the versions that differ from the env file's."""
    wanted = {}
    if to:
        if MLFLOW not in now:
            raise UsageError(
                "MLFLOW_IMAGE is set, so MLflow's version is that of the image",
                hint="remove MLFLOW_IMAGE from .env, and this tool builds the image",
            )
        wanted[MLFLOW] = to
    elif MLFLOW in now and now[MLFLOW] == before[MLFLOW]:
        wanted[MLFLOW] = max(now[MLFLOW], PINNED_MLFLOW, key=numbers)
    if postgres:
        if POSTGRES not in now:
            raise UsageError("this stack has no PostgreSQL server that runs from an image")
        wanted[POSTGRES] = postgres
    return wanted


def _change(plan: Plan, values: Mapping[str, str]) -> EnvChange:
    # Not in text mode, which would change line endings.
    text = plan.paths.env_file.read_bytes().decode()
    return EnvChange(plan.paths.env_file, text, values, during="the upgrade")


def _checked(move: UpgradePlan) -> UpgradePlan:
    old, new = move.changes.get(MLFLOW, ("0", "0"))
    if numbers(new) < numbers(old):
        raise UsageError(
            f"MLflow {old} cannot be downgraded to {new}: it cannot read the newer tables",
            hint="a snapshot that was taken with the older version can be restored into another "
            f"stack with MLFLOW_VERSION={new}: mlflow-compose snapshots lists them",
        )
    return move
