"""Free what can be freed: the rows of something first, then its objects."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mlflow_compose.data.inside import tables
from mlflow_compose.data.inside.fates import FREE, ORPHAN, Fates
from mlflow_compose.data.inside.layout import Place
from mlflow_compose.data.inside.listing import StoredObject
from mlflow_compose.data.inside.owners import MODEL, RUN, TRACE, Owner, is_deleted
from mlflow_compose.data.inside.survey import Survey
from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, progress

# Reads the database again before each of these: something may have been restored or registered.
OWNERS_AT_ONCE = 100
# S3 accepts no more in one request.
OBJECTS_AT_ONCE = 1000

EXPERIMENT = "experiment"
# Methods of MLflow's tracking store, which `mlflow gc` calls.
HARD_DELETE = {
    RUN: "_hard_delete_run",
    MODEL: "_hard_delete_logged_model",
    EXPERIMENT: "_hard_delete_experiment",
}
# Names of the numbers of what was freed.
COUNTED = {RUN: "runs", MODEL: "models"}


@dataclass
class Freed:
    """What was freed: numbers by name."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, count: int = 1) -> None:
        """Count."""
        self.counts[name] = self.counts.get(name, 0) + count


@dataclass(frozen=True)
class Freeing:
    """Frees what a survey found.

    Attributes:
        place: Where the artifacts are.
        database: The database, as an SQLAlchemy engine.
        open_store: Opens MLflow's tracking store, whose modules take seconds to import.
        now: Decides again, with what the database knows now.
        freed: What was freed so far.
    """

    place: Place
    database: Any
    open_store: Callable[[], Any]
    now: Callable[[], Fates]
    freed: Freed = field(default_factory=Freed)

    def owners(self, found: Survey) -> None:
        """Free deleted runs and logged models with their objects."""
        for chunk in tables.chunks(found.owners(FREE, RUN, MODEL), OWNERS_AT_ONCE):
            fates = self.now()
            for owner in chunk:
                if self._is_free(owner, fates) and self._hard_delete(owner.kind, owner.id):
                    self.freed.add(COUNTED[owner.kind])
                    self.objects(found.free.get(owner.id, ()), fates, FREE)

    def experiments(self, found: Survey) -> None:
        """Free deleted experiments with the objects of their traces."""
        traces: dict[int, list[Owner]] = {}
        for trace in found.owners(FREE, TRACE):
            traces.setdefault(trace.experiment, []).append(trace)
        for id_ in sorted(found.fates.experiments):
            fates = self.now()
            if id_ not in fates.experiments:
                continue
            if self._hard_delete(EXPERIMENT, str(id_)):
                self.freed.add("experiments")
                for trace in traces.get(id_, ()):
                    self.objects(found.free.get(trace.id, ()), fates, FREE)

    def orphans(self, found: Survey) -> None:
        """Delete orphans, of which the database may know meanwhile."""
        for chunk in tables.chunks(found.orphans, OBJECTS_AT_ONCE):
            self.objects(chunk, self.now(), ORPHAN)

    def objects(self, stored: Iterable[StoredObject], fates: Fates, fate: str) -> None:
        """Delete the objects that have a fate."""
        wanted = (each for each in stored if fates.of_object(each.key, each.modified) == fate)
        for chunk in tables.chunks(wanted, OBJECTS_AT_ONCE):
            delete(self.place, [each.key for each in chunk])
            self.freed.add("objects", len(chunk))
            self.freed.add("bytes", sum(each.size for each in chunk))
            progress(f"{self.freed.counts['objects']} objects freed")

    def _is_free(self, owner: Owner, fates: Fates) -> bool:
        """Tell whether a run or logged model can still be freed."""
        now = fates.known.owners.get(owner.id)
        return now is not None and fates.of(now) == FREE and is_deleted(self.database, owner)

    def _hard_delete(self, kind: str, id_: str) -> bool:
        """Delete rows in one transaction; tell whether they were there."""
        from mlflow.exceptions import MlflowException

        try:
            getattr(self._store, HARD_DELETE[kind])(id_)
        except MlflowException as error:
            # Another process, such as `mlflow gc`, was faster.
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise Failure(f"MLflow cannot delete the {kind} {id_}: {error.message}") from error
        return True

    @cached_property
    def _store(self) -> Any:
        return self.open_store()


def delete(place: Place, keys: Sequence[str]) -> None:
    """Delete objects; those that are gone already count as deleted."""
    if place.folder:
        for key in keys:
            _delete_file(Path(place.folder), key)
        return
    wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    answer = _client().delete_objects(Bucket=place.bucket, Delete=wanted)
    if errors := answer.get("Errors"):
        first = errors[0]
        raise Failure(f"{first['Key']} cannot be deleted: {first['Code']}")


@cache
def _client() -> Any:
    return s3.client()


def _delete_file(top: Path, key: str) -> None:
    """Delete a file, and the folders that are empty then."""
    path = top / key
    path.unlink(missing_ok=True)
    with suppress(OSError):
        for folder in path.parents:
            if folder == top:
                break
            folder.rmdir()
