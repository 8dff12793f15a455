"""What the commands do: each action is a short list of named steps that other packages implement.

An action gets what it needs (stack, engine, a receiver of progress) and returns a Result; it does
not print, and does not depend on the command line. `importing` is not imported here: no other
command needs its modules.
"""

from mlflow_compose.actions.changed import check_place, started_with
from mlflow_compose.actions.cluster_plan import plan_cluster_move
from mlflow_compose.actions.connect import env, open_url, write_check
from mlflow_compose.actions.diagram import diagram
from mlflow_compose.actions.down import down, what_is_lost
from mlflow_compose.actions.examples import copy_example, list_examples
from mlflow_compose.actions.files import compare, init, render
from mlflow_compose.actions.lifecycle import logs, prove, status, up, watch
from mlflow_compose.actions.migrate import migrate_store
from mlflow_compose.actions.migration_plan import MigrationPlan, plan_migration
from mlflow_compose.actions.ongoing import ongoing_migration
from mlflow_compose.actions.plan import Plan, load_plan, read_settings
from mlflow_compose.actions.prune import prune, unused
from mlflow_compose.actions.settings import config, list_settings
from mlflow_compose.actions.to_cluster import move_to_cluster

__all__ = [
    "MigrationPlan",
    "Plan",
    "check_place",
    "compare",
    "config",
    "copy_example",
    "diagram",
    "down",
    "env",
    "init",
    "list_examples",
    "list_settings",
    "load_plan",
    "logs",
    "migrate_store",
    "move_to_cluster",
    "ongoing_migration",
    "open_url",
    "plan_cluster_move",
    "plan_migration",
    "prove",
    "prune",
    "read_settings",
    "render",
    "started_with",
    "status",
    "unused",
    "up",
    "watch",
    "what_is_lost",
    "write_check",
]
