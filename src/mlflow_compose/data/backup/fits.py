"""Whether a snapshot can be loaded into a stack."""

import re

from mlflow_compose.data.backup.dump import namespace_of
from mlflow_compose.data.backup.dumped import POSTGRES_KIND
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.engines import Engine
from mlflow_compose.errors import SnapshotError

# Table of workspaces; every database has the default one.
WORKSPACES = "workspaces"


def check_fits(snapshot: Snapshot, engine: Engine) -> None:
    """Make sure that a snapshot can be loaded into a running stack.

    Raises:
        SnapshotError: It is of a newer MLflow or PostgreSQL, of a database that this stack does
            not have, or has workspaces and the stack has none.
    """
    manifest, stack = snapshot.manifest, engine.stack
    if numbers(manifest.mlflow) > numbers(stack.mlflow_version):
        raise SnapshotError(
            f"{snapshot.name} is of MLflow {manifest.mlflow}, and this stack has "
            f"{stack.mlflow_version}, which may not know its tables",
            hint=f"set MLFLOW_VERSION={manifest.mlflow} in .env, then mlflow-compose up",
        )
    if manifest.database.rows.get(WORKSPACES, 0) > 1 and not stack.workspaces:
        raise SnapshotError(
            f"{snapshot.name} has data in workspaces, and this stack has none",
            hint="set MLFLOW_WORKSPACES=true in .env, then mlflow-compose up",
        )
    if manifest.database.kind != POSTGRES_KIND:
        return
    if not stack.stores.uses_postgres:
        raise SnapshotError(
            f"{snapshot.name} is of PostgreSQL, and this stack has a SQLite file",
            hint="remove BACKEND_STORE from .env, then mlflow-compose up",
        )
    namespace, server = namespace_of(engine)
    if numbers(manifest.database.server)[0] > numbers(server)[0]:
        raise SnapshotError(
            f"{snapshot.name} is of PostgreSQL {manifest.database.server}, and this stack has "
            f"{server}: a dump can only be loaded by the same major version or a newer one",
            hint="set POSTGRES_IMAGE in .env to that version or a newer one",
        )
    if namespace != manifest.database.namespace:
        raise SnapshotError(
            f"the tables of {snapshot.name} are in the schema {manifest.database.namespace}, those "
            f"of this stack in {namespace}",
            hint="ALTER ROLE … SET search_path changes the schema that PG_USER uses",
        )


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare it with others."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
