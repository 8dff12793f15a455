"""What the commands print that take, list and restore snapshots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import key


@dataclass(frozen=True)
class SnapshotState:
    """A snapshot."""

    name: str = key("Its name; that of an archive ends in .tar.")
    created: str | None = key("Time at which the database was read (ISO 8601).")
    bytes: int | None = key("Size of everything in it, also of what it shares with others.")
    rows: Mapping[str, int] | None = key("Number of rows by table.")
    objects: int | None = key("Number of objects.")
    mlflow: str | None = key("Version of MLflow.")
    database: str | None = key("Database and its version, such as postgres 18.4.")
    secrets: bool | None = key("Whether it has the stack's secrets, encrypted.")
    complete: bool = key("Whether it can be restored.")
    problem: str | None = key("Why it cannot, null if it can.")


@dataclass(frozen=True)
class SnapshotList:
    """`snapshots`."""

    snapshots: Sequence[SnapshotState] = key("Snapshots, the oldest first.")


@dataclass(frozen=True)
class BackedUp:
    """`backup`."""

    snapshot: SnapshotState = key("The new snapshot.")
    folder: str = key("Its folder, or the archive.")
    sent: int = key("Number of objects that were new or had changed since the last snapshot.")
    sent_bytes: int = key("Their size in bytes.")
    removed: Sequence[str] = key("Snapshots that --keep deleted.")


@dataclass(frozen=True)
class BackupScheduled:
    """`backup --every`."""

    every: str | None = key("The interval, null for never.")
    scheduler: str | None = key("What starts backups: `systemd` or `cron`, null for nothing.")
    unit: str | None = key("Path of the systemd timer, null if there is none.")
    command: Sequence[str] = key("The command that takes a backup.")


@dataclass(frozen=True)
class Restored:
    """`restore` and `reset`."""

    snapshot: SnapshotState | None = key("The snapshot that was restored, null for none.")
    saved: str = key("Name of the snapshot of the stack as it was before.")


@dataclass(frozen=True)
class Upgraded:
    """`upgrade`."""

    before: Mapping[str, str] = key("The versions before, by setting.")
    after: Mapping[str, str] = key("The versions after.")
    saved: str | None = key(
        "Name of the snapshot of the stack as it was before, null if nothing was changed."
    )


@dataclass(frozen=True)
class BackupChecked:
    """`backup --verify`."""

    name: str = key("Name of the snapshot.")
    objects: int = key("Number of objects.")
    bytes: int = key("Number of bytes that were read and compared.")
