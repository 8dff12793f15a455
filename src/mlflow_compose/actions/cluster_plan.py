"""Plan the move of a stack into a Kubernetes cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.plan import Plan, check_key
from mlflow_compose.errors import UsageError
from mlflow_compose.machine import free_port
from mlflow_compose.settings.load import ENVIRONMENT
from mlflow_compose.stack import KUBERNETES, migration
from mlflow_compose.stack.site import LOOPBACK

ENGINE = "STACK_ENGINE"


@dataclass(frozen=True)
class ClusterMove:
    """A stack before and after a move into a cluster.

    Attributes:
        old: The stack on this machine.
        new: The same stack in the cluster.
        env: Change of the env file.
    """

    old: Plan
    new: Plan
    env: EnvChange

    def receiving(self, port: int) -> Plan:
        """Return the new stack with its S3 server on another port of this machine.

        The old one still has MINIO_PORT.
        """
        return self.new.with_settings({"minio_port": port})

    def idle(self) -> Plan:
        """Return the old stack with an idle MLflow, and servers that only this command knows."""
        settings: dict[str, object] = {"stack_bind_address": LOOPBACK, "pg_publish": False}
        if self.moves_objects:
            settings["minio_port"] = free_port()
        plan = self.old.with_settings(settings)
        return replace(plan, stack=migration.intermediate(plan.stack, plan.stack, port=0))

    @property
    def moves_runs(self) -> bool:
        """Whether runs move to another database."""
        return self.new.stack.stores.bundles_postgres

    @property
    def moves_objects(self) -> bool:
        """Whether artifacts move to another bucket."""
        return self.new.stack.stores.bundles_s3


def plan_cluster_move(old: Plan, located: Plan, environ: Mapping[str, str]) -> ClusterMove:
    """Plan the move of a stack.

    Args:
        old: The stack on this machine.
        located: The same stack in a cluster, before the env file says so.
        environ: Environment, which takes precedence over the env file.

    Raises:
        UsageError: The stack is in a cluster already, or the environment decides on the engine.
    """
    check_key(old)
    if old.stack.site.engine == KUBERNETES:
        raise UsageError("the stack is in a cluster already; there is nothing to move")
    if old.loaded.sources.get(ENGINE) == ENVIRONMENT or ENGINE in environ:
        raise UsageError(
            f"{ENGINE} is set in the environment, which takes precedence over "
            f"{old.paths.env_file.name}",
            hint=f"unset {ENGINE}",
        )
    # Not in text mode, which would change line endings.
    before = old.paths.env_file.read_bytes().decode()
    values = {ENGINE: KUBERNETES, **_place_of(located)}
    new = located.with_settings({name.lower(): value for name, value in values.items()})
    return ClusterMove(old, new, EnvChange(old.paths.env_file, before, values))


def _place_of(plan: Plan) -> Mapping[str, str]:
    """Return the settings that name the cluster: kubectl's current context may change later."""
    place = plan.stack.site.namespace
    if place is None:
        raise ValueError("the stack is not for a cluster")
    return {"KUBE_CONTEXT": place.context, "KUBE_NAMESPACE": place.name}
