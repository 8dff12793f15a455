"""Take a snapshot of a running stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from mlflow_compose.data.backup import manifest as format_
from mlflow_compose.data.backup.dump import dump
from mlflow_compose.data.backup.fingerprint import fingerprint
from mlflow_compose.data.backup.manifest import Database, Manifest, Objects
from mlflow_compose.data.backup.objects import copy_objects
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot, describe, latest, new
from mlflow_compose.data.backup.sources import source_of
from mlflow_compose.engines import Engine
from mlflow_compose.result import Progress


@dataclass(frozen=True)
class Private:
    """What a snapshot has of the secrets of its stack.

    Attributes:
        keys: Keys that values in the database are encrypted with; only a fingerprint is stored.
        sealed: Encrypted file of secrets, empty for none.
    """

    keys: str = field(default="", repr=False)
    sealed: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Taken:
    """A new snapshot.

    Attributes:
        snapshot: The snapshot.
        sent: Number of objects that were read; the others are as in the previous snapshot.
        sent_bytes: Their size in bytes.
    """

    snapshot: Snapshot
    sent: int
    sent_bytes: int


def take(  # noqa: PLR0913, PLR0917 - independent inputs
    engine: Engine,
    top: Path,
    name: str,
    now: datetime,
    settings: Mapping[str, str],
    progress: Progress,
    private: Private = Private(),
    *,
    links: bool = True,
) -> Taken:
    """Take a snapshot of a running stack, which may be in use.

    The database is read first: artifacts of runs that finish later are not missed by the runs in
    it.

    Args:
        engine: Engine of the stack.
        top: Folder of snapshots.
        name: Name of the new one.
        now: The current time, with its time zone.
        settings: Settings without secrets, by variable.
        progress: Receiver of progress.
        private: Secrets of the stack.
        links: Whether contents that have not changed are linked to the last snapshot.

    Raises:
        SnapshotError: The database or the objects cannot be read.
        FilesError: The snapshot cannot be written.
    """
    previous = latest(top, engine.stack.identity) if links else None
    with new(top, name, engine.stack.identity) as folder:
        with progress.step("Reading the database"):
            database = dump(engine, folder, progress)
        with progress.step("Copying objects"):
            copied = copy_objects(source_of(engine), folder, previous, progress.detail, Rate())
        manifest = _described(engine, name, now, settings, database, copied.objects)
        manifest = replace(
            manifest,
            has_secrets=bool(private.sealed),
            fingerprint=fingerprint(private.keys, database.rows),
        )
        _finish(folder, manifest, private)
    return Taken(Snapshot(top / name, manifest), copied.sent, copied.sent_bytes)


def _described(  # noqa: PLR0913, PLR0917 - independent inputs
    engine: Engine,
    name: str,
    now: datetime,
    settings: Mapping[str, str],
    database: Database,
    objects: Objects,
) -> Manifest:
    stack = engine.stack
    return Manifest(
        version=format_.VERSION,
        name=name,
        created=now.isoformat(),
        stack=stack.name,
        stack_id=stack.identity,
        engine=engine.name,
        mlflow=stack.mlflow_version,
        images={service.name: service.image for service in stack.services},
        settings=settings,
        database=database,
        objects=objects,
        image_ids={one.name: one.image_id for one in engine.status() if one.image_id},
    )


def _finish(folder: Path, manifest: Manifest, private: Private) -> None:
    """Write the files of a snapshot that depend on the others."""
    if private.sealed:
        (folder / format_.SECRETS).write_bytes(private.sealed)
    describe(folder, manifest)
