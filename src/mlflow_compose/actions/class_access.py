"""What the people of each seat need in order to use it."""

from collections.abc import Iterator

from mlflow_compose.actions.connect import lan_host
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom import Access, Members, read_members
from mlflow_compose.errors import FilesError
from mlflow_compose.stack.keys import seat_password
from mlflow_compose.stack.site import url_host

MEMBERS = "roster.csv"


def accesses(plan: Plan) -> tuple[Access, ...]:
    """Return the access of each seat, in the order of CLASS_SEATS.

    Raises:
        RosterError: The file of the members is damaged.
        FilesError: It cannot be read.
    """
    return tuple(_of_seats(plan, read_class(plan)))


def read_class(plan: Plan) -> Members:
    """Return who works at which seat; empty if that is not known."""
    path = plan.paths.classroom / MEMBERS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FilesError(f"{path} cannot be read: {error.strerror}") from None
    return read_members(text, f"{plan.paths.classroom.name}/{MEMBERS}")


def _of_seats(plan: Plan, members: Members) -> Iterator[Access]:
    settings = plan.loaded.settings
    host = url_host(lan_host(plan) or settings.stack_bind_address)
    for seat in settings.seats:
        yield Access(
            seat.name,
            members.get(seat.name, ()),
            f"http://{host}:{seat.port}",
            seat.name,
            seat_password(settings, seat.name),
        )
