"""`restore`, with what the stack cannot read of the snapshot."""

from dataclasses import replace
from datetime import datetime

from mlflow_compose.actions.private import unreadable_values
from mlflow_compose.actions.restore import Work, restore
from mlflow_compose.data.backup import archive_of, copy, find, unpack
from mlflow_compose.data.backup.peek import folder_of
from mlflow_compose.data.backup.remote import Remote, fetch
from mlflow_compose.result import Result


def restore_from(
    work: Work, source: str, now: datetime, remote: tuple[Remote, str] | None = None
) -> Result:
    """Put a snapshot into the stack, and say what the stack cannot read of it.

    Args:
        work: The stack.
        source: Name of the snapshot; or an archive, which is unpacked first, or the path of a
            snapshot in another folder, which is copied first.
        now: The current time, with its time zone.
        remote: Place and name of the snapshot if it is to be fetched first.

    Raises:
        SnapshotError: The snapshot is damaged, does not fit the stack, or cannot be loaded.
    """
    name = _fetched(work, *remote) if remote else _provided(work, source)
    result = restore(work, name, now)
    unreadable = unreadable_values(work.plan, work.find(name))
    return replace(result, lines=[*result.lines, unreadable]) if unreadable else result


def _provided(work: Work, source: str) -> str:
    """Return the name of a snapshot in the stack's folder, after bringing it there if need be."""
    top = work.plan.paths.backups
    if path := archive_of(source, top):
        with work.progress.step(f"Unpacking {path}"):
            return unpack(path, top, work.progress).name
    if not (elsewhere := folder_of(source)):
        return source
    with work.progress.step(f"Copying {elsewhere}"):
        return copy(find(elsewhere.parent, elsewhere.name), top).name


def _fetched(work: Work, remote: Remote, name: str) -> str:
    with work.progress.step(f"Fetching {name} from {remote.url}"):
        return fetch(remote, name, work.plan.paths.backups, work.progress).name
