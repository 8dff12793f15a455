"""`backup`."""

from dataclasses import dataclass, field
from datetime import datetime

from mlflow_compose.actions.elsewhere import check_elsewhere
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.private import private_of
from mlflow_compose.actions.restoring import check_places
from mlflow_compose.actions.snapshots import contents_of, state_of
from mlflow_compose.data.backup import (
    Archived,
    Damaged,
    Snapshot,
    archive_of,
    archive_path,
    archives,
    check,
    check_archive,
    check_name,
    default_name,
    find,
    pack,
    remove,
    snapshots,
    surplus,
    take,
)
from mlflow_compose.data.backup.remote import Remote, send
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import BackedUp, BackupChecked
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import public_values

MB = 1e6


@dataclass(frozen=True)
class Wanted:
    """The snapshot that is wanted.

    Attributes:
        name: Name of the snapshot, None for the time.
        keep: Number of snapshots of this stack to keep, the newest; None for all.
        passphrase: Passphrase to encrypt the stack's secrets with, None to leave them out.
        archive: Whether to write one file instead of a folder.
        remote: Where to send it, None for nowhere.
    """

    name: str | None = None
    keep: int | None = None
    passphrase: str | None = field(default=None, repr=False)
    archive: bool = False
    remote: Remote | None = None


def backup(plan: Plan, engine: Engine, progress: Progress, now: datetime, wanted: Wanted) -> Result:
    """Take a snapshot of the running stack.

    Args:
        plan: The stack.
        engine: Its engine.
        progress: Receiver of progress.
        now: The current time, with its time zone.
        wanted: The snapshot that is wanted.

    Raises:
        UsageError: The stack is not running, or there is a snapshot with this name.
        SnapshotError: The data cannot be read.
        FilesError: The snapshot cannot be written.
    """
    top, chosen = plan.paths.backups, check_name(wanted.name or default_name(now))
    engine.check()
    check_places(plan)
    if not any(status.state == RUNNING for status in engine.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")
    if wanted.archive:
        archive_path(top, chosen)
    if wanted.remote:
        check_elsewhere(wanted.remote, plan.stack)
    settings, private = public_values(plan.loaded.settings), private_of(plan, wanted.passphrase)
    taken = take(engine, top, chosen, now, settings, progress, private)
    made = _packed(taken.snapshot, progress) if wanted.archive else taken.snapshot
    # Before sending: a bucket that is full must not fill this disk, too.
    removed = _retire(plan, wanted.keep, made.name) if wanted.keep else ()
    sent = _sent(taken.snapshot, wanted.remote, progress) if wanted.remote else []
    state = state_of(made)
    lines = [
        f"{made.name}: {contents_of(state)} ({taken.sent} objects are new or have changed)",
        *sent,
        *(f"deleted {old}" for old in removed),
        f"Next       mlflow-compose backup --verify {made.name}   reads it again",
    ]
    return Result(
        BackedUp(state, str(top / made.name), taken.sent, taken.sent_bytes, removed), lines
    )


def backup_before(
    command: str, plan: Plan, engine: Engine, progress: Progress, now: datetime
) -> str:
    """Take a snapshot before a command that deletes data; return its name."""
    name = f"before-{command}-{default_name(now)}"
    backup(plan, engine, progress, now, Wanted(name))
    return name


def verify_backup(plan: Plan, progress: Progress, name: str) -> Result:
    """Read a snapshot or an archive again, and compare everything with its digests."""
    top = plan.paths.backups
    with progress.step(f"Reading {name}"):
        if path := archive_of(name, top):
            found = check_archive(path, progress)
        else:
            found = check(find(top, name), progress)
    line = f"{name}: {found.objects} objects, {found.bytes / MB:.1f} MB read, nothing has changed"
    return Result(BackupChecked(name, found.objects, found.bytes), [line])


def _sent(snapshot: Snapshot, remote: Remote, progress: Progress) -> list[str]:
    """Send a snapshot; return a line about that."""
    with progress.step(f"Sending it to {remote.url}"):
        sent = send(snapshot, remote, progress)
    return [f"sent to {remote.url}: {sent.contents} contents, {sent.bytes / MB:.1f} MB"]


def _packed(snapshot: Snapshot, progress: Progress) -> Archived:
    """Turn a snapshot into an archive."""
    with progress.step("Writing the archive"):
        made = pack(snapshot, progress)
    remove(snapshot.folder)
    return made


def _retire(plan: Plan, keep: int, new: str) -> list[str]:
    """Delete the oldest snapshots of this stack, but not the new one; return their names."""
    top = plan.paths.backups
    found = (each for each in (*snapshots(top), *archives(top)) if not isinstance(each, Damaged))
    own = (each for each in found if each.manifest.stack_id == plan.stack.identity)
    old = surplus(own, new, keep)
    for each in old:
        remove(top / each.name)
    return [each.name for each in old]
