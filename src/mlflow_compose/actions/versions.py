"""The versions that wrote a stack's data: `up` must not start newer servers on it unasked."""

from collections.abc import Mapping

from mlflow_compose.actions.changed import STACK_ID
from mlflow_compose.actions.plan import Plan
from mlflow_compose.data.upgrade import majors
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UpgradeError
from mlflow_compose.record import read_record, write_record

MLFLOW, POSTGRES = "MLFLOW_VERSION", "POSTGRES_IMAGE"
Versions = Mapping[str, str]


def versions_of(plan: Plan) -> Versions:
    """Return the versions that a stack would run, by setting.

    Without MLflow's if MLFLOW_IMAGE is set, whose version is not known, and without PostgreSQL's
    unless it comes as an image, whose version can be found out before the start.
    """
    settings = plan.loaded.settings
    found = {}
    if not settings.mlflow_image:
        found[MLFLOW] = settings.mlflow_version
    site = plan.stack.site
    # In a cluster, PostgreSQL itself refuses the data: a pod that looks at it first would have to
    # pull the new image, which is what usually goes wrong.
    if site.in_containers and not site.namespace and settings.bundles_postgres:
        found[POSTGRES] = settings.postgres_image
    return found


def recorded(plan: Plan) -> Versions:
    """Return the versions that wrote a stack's data, as far as they are known."""
    record, engine = read_record(plan.paths), plan.stack.site.engine
    carried = record.places.get(engine, {}).get(STACK_ID)
    # A copied folder contains the record of the original, but in Docker not its data.
    if plan.stack.site.in_containers and carried != plan.identity.id:
        return {}
    return record.versions.get(engine, {})


def record_versions(plan: Plan) -> None:
    """Record which versions have written a stack's data.

    Raises:
        FilesError: The record cannot be written.
    """
    record = read_record(plan.paths)
    after = record.with_versions(plan.stack.site.engine, versions_of(plan))
    if after != record:
        write_record(after, plan.paths)


def check_mlflow(plan: Plan) -> None:
    """Make sure that MLflow's version fits the data: a newer one would change the tables.

    Raises:
        UpgradeError: It does not.
    """
    old, new = recorded(plan).get(MLFLOW), versions_of(plan).get(MLFLOW)
    if old is None or new is None:
        return
    if migrates_itself(plan):
        return
    if numbers(new) > numbers(old):
        raise UpgradeError(
            f"the data of this stack is of MLflow {old}, and {MLFLOW} is {new}",
            hint="mlflow-compose upgrade takes a snapshot and upgrades the data; "
            f"{MLFLOW}={old} in .env stays with that version",
        )
    # Within a minor version, MLflow's tables stay the same; if not, MLflow itself refuses to start.
    if numbers(new)[:2] < numbers(old)[:2]:
        raise UpgradeError(
            f"the data of this stack is of MLflow {old}, which MLflow {new} cannot read",
            hint=f"set {MLFLOW}={old} back in .env",
        )


def migrates_itself(plan: Plan) -> bool:
    """Tell whether the next start migrates the tables to a newer version of MLflow.

    A cluster has a job for that.
    """
    old, new = recorded(plan).get(MLFLOW), versions_of(plan).get(MLFLOW)
    is_newer = bool(old and new) and numbers(new or "0") > numbers(old or "0")
    return is_newer and plan.stack.site.namespace is not None


def check_postgres(plan: Plan, engine: Engine) -> None:
    """Make sure that the image of PostgreSQL can read the data.

    Raises:
        UpgradeError: It cannot.
    """
    image, before = versions_of(plan).get(POSTGRES), recorded(plan).get(POSTGRES)
    # If it is not known, PostgreSQL itself refuses the data of another major version.
    if image is None or before is None or image == before:
        return
    found = majors(engine)
    if found.differ:
        raise UpgradeError(
            f"the data of this stack is of PostgreSQL {found.data}, and {POSTGRES} ({image}) is "
            f"PostgreSQL {found.server}",
            hint="mlflow-compose upgrade dumps the data and loads it into the new version"
            if found.server > found.data
            else f"set {POSTGRES} in .env to an image of PostgreSQL {found.data}",
        )


def numbers(version: str) -> tuple[int, ...]:
    """Return a release version as numbers, to compare it with others."""
    return tuple(map(int, version.split(".")))
