"""Report what of a stack's data can be freed, and free it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import owners, tables
from mlflow_compose.data.inside.fates import FREE, LIVE, RECENT, USED, Fates, Limits
from mlflow_compose.data.inside.freeing import Freeing
from mlflow_compose.data.inside.layout import Place
from mlflow_compose.data.inside.listing import stored_objects
from mlflow_compose.data.inside.owners import MODEL, RUN, TRACE
from mlflow_compose.data.inside.survey import FREED, Survey, Tally, refers_to_none, survey
from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, Request, item, progress

VERSIONED = ("Enabled", "Suspended")


def main(request: Request) -> dict[str, Any]:
    """Report, and free if the request says so."""
    folder = request["folder"]
    # As it is in artifact locations, if there are any.
    place = Place(request["bucket"], str(Path(folder).absolute()) if folder else "")
    limits = Limits(request["deleted"], request["orphans"])
    with tables.database_errors(), storage_errors():
        database = tables.open_database(request["backend"])

        def now() -> Fates:
            return Fates(owners.read(database, place), limits)

        progress("reading the database")
        fates = now()
        progress("listing the objects")
        found = survey(fates, stored_objects(place.bucket, place.folder))
        report(found)
        is_foreign = refers_to_none(found)
        freed = {}
        if request["apply"]:
            work = Freeing(place, database, partial(tracking_store, request), now)
            with_orphans = request["with_orphans"] and not is_foreign
            freed = free(work, found, with_orphans=with_orphans)
        return {
            "groups": groups(found),
            "freed": freed,
            "is_foreign": is_foreign,
            "is_versioned": is_versioned(place),
        }


def free(work: Freeing, found: Survey, *, with_orphans: bool) -> dict[str, int]:
    """Free everything that can be freed; return what was."""
    work.owners(found)
    work.experiments(found)
    if with_orphans:
        work.orphans(found)
    return work.freed.counts


def report(found: Survey) -> None:
    """Report the experiments, and what is missing, one by one."""
    for id_, experiment in found.fates.known.experiments.items():
        tally = found.experiments.get(id_, Tally())
        about = {
            "id": str(id_),
            "name": experiment.name,
            "workspace": experiment.workspace,
            "is_deleted": experiment.is_deleted,
        }
        item({"experiment": {**about, "objects": tally.objects, "bytes": tally.bytes}})
    for claim in found.missing:
        item({"missing": {"kind": claim.kind, "id": claim.id, "object_key": claim.keys[0]}})


def groups(found: Survey) -> dict[str, dict[str, int]]:
    """Return the numbers of runs and the like, of objects and of bytes, by group."""
    runs, models = (sum(1 for _ in found.owners(FREE, kind)) for kind in (RUN, MODEL))
    counts = {
        LIVE: sum(1 for _ in found.owners(LIVE, RUN, MODEL, TRACE)),
        USED: sum(1 for _ in found.owners(USED, RUN, MODEL)),
        RECENT: sum(1 for _ in found.owners(RECENT, RUN, MODEL)),
        FREED[RUN]: runs,
        FREED[MODEL]: models,
        FREED[TRACE]: len(found.fates.experiments),
    }
    names = [*counts, *(name for name in found.groups if name not in counts)]
    return {
        name: {
            "count": counts.get(name, 0),
            "objects": found.groups.get(name, Tally()).objects,
            "bytes": found.groups.get(name, Tally()).bytes,
        }
        for name in names
    }


def tracking_store(request: Request) -> Any:
    """Return MLflow's tracking store, for all workspaces at once.

    The store without workspaces reads all rows, and only checks on start that there are none.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    class Store(SqlAlchemyStore):  # type: ignore[misc] # mlflow is not typed
        def _initialize_store_state(self) -> None:
            pass

    return Store(request["backend"], request["artifact_root"])


def is_versioned(place: Place) -> bool:
    """Tell whether the bucket keeps what is deleted as earlier versions, as far as is known."""
    from botocore.exceptions import ClientError

    if place.folder:
        return False
    try:
        answer = s3.client().get_bucket_versioning(Bucket=place.bucket)
    except ClientError:
        # The key may not be allowed to ask.
        return False
    return answer.get("Status") in VERSIONED


@contextmanager
def storage_errors() -> Iterator[None]:
    """Report errors of S3 or of the disk as failures."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        raise Failure(str(error)) from error
