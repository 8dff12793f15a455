"""`class handout`: write what is handed out to a class."""

from collections.abc import Collection, Iterator
from pathlib import Path

from mlflow_compose.actions.certificates import keep_certificate
from mlflow_compose.actions.class_access import accesses
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom import Access, Server, handouts
from mlflow_compose.classroom.handouts import ALL, HANDOUT, TABLE, TABLE_CSV
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.identity import keep_identity
from mlflow_compose.paths import sources
from mlflow_compose.payloads import HandedOut, SeatHandout
from mlflow_compose.render import remove_private, write_private
from mlflow_compose.result import Result
from mlflow_compose.settings.rules import is_loopback

HANDOUTS = "handouts"
# The folder of the class has people's names and passwords.
CLASS_MODE = 0o700
AGAIN = "mlflow-compose class handout"


def handout_folder(plan: Plan) -> Path:
    """Return the folder that hand-outs are written into by default."""
    return plan.paths.classroom / HANDOUTS


def write_handouts(plan: Plan, folder: Path) -> Result:
    """Write the hand-outs of all seats, and remove those of seats that no longer exist.

    Args:
        plan: The stack.
        folder: Folder for the hand-outs, and for nothing else.

    Raises:
        UsageError: The stack has no seats.
        RosterError: The file of the members is damaged.
        FilesError: Files cannot be read or written, or are not from this tool.
        FilesChangedError: A hand-out was edited; nothing is written.
    """
    found = accesses(plan)
    if not found:
        raise _no_seats(plan)
    # The programs recognize the stack by its id, which it may not have before its first start.
    keep_identity(plan.identity, plan.paths)
    # They also trust its CA, which is created if there is none yet.
    keep_certificate(plan.stack.certificate, plan.paths)
    texts = {**sources("client"), **sources("classroom")}
    if folder == handout_folder(plan):
        _make_class_folder(folder.parent)
    written = write_private(handouts(found, _server(plan), texts), folder)
    notes = [*_notes(plan)]
    data = HandedOut(
        str(folder),
        str(folder / ALL),
        str(folder / TABLE),
        [_seat(each, folder, written.changed) for each in found],
        written.removed,
        notes,
    )
    return Result(data, [*_lines(folder, data), *(f"note: {one}" for one in notes)])


def remove_handouts(plan: Plan) -> tuple[str, ...]:
    """Remove the hand-outs in the default folder, for example at the end of a class.

    Returns:
        The paths of those that were edited, and stay.

    Raises:
        FilesError: A file cannot be removed.
    """
    folder = handout_folder(plan)
    return tuple(str(folder / path) for path in remove_private(folder)) if folder.is_dir() else ()


def _server(plan: Plan) -> Server:
    client = f"mlflow-skinny=={plan.loaded.settings.mlflow_version}"
    return Server(plan.stack.name, plan.identity.id, client, AGAIN)


def _seat(access: Access, folder: Path, changed: Collection[str]) -> SeatHandout:
    return SeatHandout(
        access.seat,
        access.names,
        access.url,
        access.user,
        str(folder / access.seat),
        f"{access.seat}/{HANDOUT}" in changed,
    )


def _no_seats(plan: Plan) -> UsageError:
    mode = plan.loaded.settings.class_mode
    if mode == "none":
        return UsageError(
            "the stack has no class: CLASS_MODE is none",
            hint="mlflow-compose class create people.csv",
        )
    return UsageError("the class has no seats", hint="mlflow-compose class add people.csv")


def _make_class_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True, mode=CLASS_MODE)
    except OSError as error:
        raise FilesError(f"{folder} cannot be created: {error.strerror}") from None


def _notes(plan: Plan) -> Iterator[str]:
    if is_loopback(plan.loaded.settings.stack_bind_address):
        yield (
            "only this machine can open these addresses: STACK_BIND_ADDRESS is a loopback "
            "address; set it to 0.0.0.0 in .env, run mlflow-compose up, and write the hand-outs "
            "again"
        )


def _lines(folder: Path, data: HandedOut) -> Iterator[str]:
    count = "1 seat" if len(data.seats) == 1 else f"{len(data.seats)} seats"
    yield f"wrote the hand-outs of {count}; they have passwords, and only you can read them"
    changed = [each.seat for each in data.seats if each.changed]
    if len(changed) in {0, len(data.seats)}:
        yield f"print      {data.print}{'' if changed else ', if you have not: nothing changed'}"
    else:
        names = ", ".join(f"{seat}/{HANDOUT}" for seat in changed)
        yield f"print      {names}: the other pages did not change"
    yield f"for you    {data.table}, {TABLE_CSV}"
    yield f"for each   {data.seats[0].folder} and so on: a seat's own files"
    seats = {each.seat for each in data.seats}
    gone = {path.partition("/")[0] for path in data.removed if "/" in path} - seats
    for seat in sorted(gone):
        yield f"removed    {folder / seat}: there is no such seat now"
