"""What is recorded about a stack between commands, besides its id.

The location of its data, so that a changed setting does not hide it; the volumes that migrations
left over, so that nothing else is deleted; and the engine that runs it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow_compose.errors import FilesError
from mlflow_compose.paths import StackPaths, write_state

RECORD_FILE = "record.json"
# Settings that locate volumes, and nothing outside of them.
OF_VOLUMES = ("COMPOSE_PROJECT_NAME", "KUBE_CONTEXT", "KUBE_NAMESPACE")
Places = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """What is recorded about a stack.

    Attributes:
        started_on: Engine that runs it, empty after `down`.
        places: Settings that locate the data, by name, for each engine.
        left_over: By engine, the volumes whose data a migration copied to other stores.
        left_behind: By engine, the volumes with data that was not copied when the stack started
            on other stores.
        other_buckets: By engine and volume, the buckets that a migration did not copy; a volume
            of an S3 server is missing if they are unknown.
        folders: By engine, the folders of this machine that held data, as the rendered files
            spell them, each with the stack id that it carried.
        dvc_buckets: By engine, the buckets that were created for DVC; some may be gone.
        versions: By engine, what wrote the data: MLflow's version and PostgreSQL's image.
        workspaces: By engine, whether the stack had workspaces when it was last started.
        seats: By engine, the seats of a class that have data.
    """

    started_on: str = ""
    places: Mapping[str, Places] = field(default_factory=dict)
    left_over: Mapping[str, Collection[str]] = field(default_factory=dict)
    left_behind: Mapping[str, Collection[str]] = field(default_factory=dict)
    other_buckets: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dvc_buckets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    workspaces: Mapping[str, bool] = field(default_factory=dict)
    seats: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def started(self, engine: str, places: Places, volumes: Collection[str]) -> "Record":
        """Return the record after a start, with the data in these places and volumes."""
        left = sorted({*self.left_over.get(engine, ())} - {*volumes})
        # Users may now create more buckets in them.
        known = {
            name: _without(found, *volumes) if name == engine else found
            for name, found in self.other_buckets.items()
        }
        return replace(
            self,
            started_on=engine,
            places={**self.places, engine: dict(places)},
            left_over={**self.left_over, engine: left},
            other_buckets=known,
        )

    def stopped(self, engine: str) -> "Record":
        """Return the record after the stack was stopped."""
        return replace(self, started_on="" if self.started_on == engine else self.started_on)

    def without_volumes(self, engine: str, *, elsewhere: bool) -> "Record":
        """Return the record after the stack's volumes were deleted.

        Args:
            engine: Engine that had them.
            elsewhere: Whether there is data outside of them, which is kept.
        """
        # The name that Docker's volumes had, or the place of claims, no longer matters.
        kept = {engine: _without(self.places.get(engine, {}), *OF_VOLUMES)}
        places = {**self.places, **kept} if elsewhere else _without(self.places, engine)
        return replace(
            self,
            places=places,
            left_over=_without(self.left_over, engine),
            left_behind=_without(self.left_behind, engine),
            other_buckets=_without(self.other_buckets, engine),
            folders=_without(self.folders, engine),
            dvc_buckets=self.dvc_buckets if elsewhere else _without(self.dvc_buckets, engine),
            versions=self.versions if elsewhere else _without(self.versions, engine),
            workspaces=self.workspaces if elsewhere else _without(self.workspaces, engine),
            seats=_without(self.seats, engine),
        )

    def with_folders(self, engine: str, identity: str, folders: Collection[str]) -> "Record":
        """Return the record with these data folders, which carry the stack's id."""
        return replace(self, folders={**self.folders, engine: dict.fromkeys(folders, identity)})

    def folders_of(self, engine: str, identity: str) -> Collection[str]:
        """Return the data folders of the stack with this id; a copy of it has another id."""
        found = self.folders.get(engine, {}).items()
        return [name for name, carried in found if carried == identity]

    def moved(self, engine: str, places: Places, left_over: Collection[str]) -> "Record":
        """Return the record after data was moved to `places`; `left_over` keep the old data."""
        found = {*self.left_over.get(engine, ()), *left_over}
        left = sorted(found - {*self.left_behind_on(engine)})
        return replace(
            self,
            places={**self.places, engine: dict(places)},
            left_over={**self.left_over, engine: left},
        )

    def left_behind_on(self, engine: str) -> Collection[str]:
        """Return the volumes with data that was not copied: `prune` must not delete them."""
        return self.left_behind.get(engine, ())

    def leaving_behind(self, engine: str, volumes: Collection[str]) -> "Record":
        """Return the record before a start that leaves the data in some volumes behind."""
        left = sorted({*self.left_behind_on(engine), *volumes})
        return replace(self, left_behind={**self.left_behind, engine: left})

    def with_other_buckets(
        self, engine: str, volumes: Collection[str], buckets: Sequence[str]
    ) -> "Record":
        """Return the record with the buckets in these volumes that a migration did not copy."""
        found = {**self.other_buckets.get(engine, {}), **{name: list(buckets) for name in volumes}}
        return replace(self, other_buckets={**self.other_buckets, engine: found})

    def with_dvc_bucket(self, engine: str, bucket: str) -> "Record":
        """Return the record with a bucket that was created for DVC."""
        found = sorted({*self.dvc_buckets.get(engine, ()), bucket})
        return replace(self, dvc_buckets={**self.dvc_buckets, engine: found})

    def with_versions(self, engine: str, versions: Mapping[str, str]) -> "Record":
        """Return the record with the versions that wrote the data."""
        return replace(self, versions={**self.versions, engine: dict(versions)})

    def with_workspaces(self, engine: str, *, are_on: bool) -> "Record":
        """Return the record after a start with or without workspaces."""
        return replace(self, workspaces={**self.workspaces, engine: are_on})

    def with_seats(self, engine: str, seats: Collection[str]) -> "Record":
        """Return the record with these seats of a class."""
        return replace(self, seats={**self.seats, engine: sorted(seats)})

    def not_copied(self, engine: str, servers: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the left-over volumes that `prune` must not delete, with their other buckets.

        The list is empty if these are unknown, since earlier versions did not record them.

        Args:
            engine: Engine that has the volumes.
            servers: Volumes of S3 servers.
        """
        known = self.other_buckets.get(engine, {})
        unknown = {*servers} - known.keys()
        left_over = self.left_over.get(engine, ())
        return {
            name: known.get(name, ()) for name in left_over if name in unknown or known.get(name)
        }

    def pruned(self, engine: str, volumes: Collection[str]) -> "Record":
        """Return the record after left-over volumes were deleted."""
        left = sorted({*self.left_over.get(engine, ())} - {*volumes})
        return replace(self, left_over={**self.left_over, engine: left})


def _without(found: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in keys}


def read_record(paths: StackPaths) -> Record:
    """Return the record of a stack, an empty one if it was never started.

    Raises:
        FilesError: It is damaged or cannot be read.
    """
    path = paths.state / RECORD_FILE
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return Record()
    except OSError as error:
        raise FilesError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise FilesError(
            f"{path} is damaged",
            hint=f"delete {path}; the next up writes it again",
        ) from None


def write_record(record: Record, paths: StackPaths) -> None:
    """Write the record of a stack.

    Raises:
        FilesError: It cannot be written.
    """
    write_state(paths, RECORD_FILE, json.dumps(vars(record), indent=2) + "\n")
