"""What the people of each seat need in order to use it."""

from collections.abc import Iterator

from mlflow_compose.actions.connect import lan_host
from mlflow_compose.actions.plan import Plan
from mlflow_compose.classroom import Access, Members, members_text, own_place, read_members
from mlflow_compose.errors import FilesError
from mlflow_compose.files import write_whole
from mlflow_compose.stack.keys import seat_password
from mlflow_compose.stack.seats import published_at
from mlflow_compose.stack.site import url_host

MEMBERS = "roster.csv"
PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


def accesses(plan: Plan) -> tuple[Access, ...]:
    """Return the access of each seat, in the order of CLASS_SEATS.

    Raises:
        RosterError: The file of the members is damaged.
        FilesError: It cannot be read.
    """
    members = read_class(plan)
    is_shared = plan.loaded.settings.class_mode == "shared"
    return tuple(_of_shared(plan, members) if is_shared else _of_seats(plan, members))


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


def write_class(plan: Plan, members: Members) -> None:
    """Write who works at which seat; only the owner can read it.

    Raises:
        FilesError: It cannot be written.
    """
    folder = plan.paths.classroom
    try:
        folder.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)
        write_whole(folder / MEMBERS, members_text(members), PRIVATE)
    except OSError as error:
        raise FilesError(f"{folder / MEMBERS} cannot be written: {error.strerror}") from None


def _of_seats(plan: Plan, members: Members) -> Iterator[Access]:
    settings, origin, ca_certs = plan.loaded.settings, _origin(plan), _ca_certs(plan)
    for seat in settings.seats:
        password = seat_password(settings, seat.name)
        port, path = published_at(settings, seat)
        url = f"{origin}:{port}{path}"
        people = members.get(seat.name, ())
        yield Access(seat.name, people, url, seat.name, password, ca_certs=ca_certs)


def _of_shared(plan: Plan, members: Members) -> Iterator[Access]:
    settings = plan.loaded.settings
    url, ca_certs = f"{_origin(plan)}:{settings.mlflow_port}", _ca_certs(plan)
    for name, people in members.items():
        password = seat_password(settings, name)
        own = {"workspace" if settings.mlflow_workspaces else "experiment": own_place(name)}
        yield Access(name, people, url, name, password, ca_certs=ca_certs, **own)


def _ca_certs(plan: Plan) -> str:
    """Return the CA certificates that clients need, empty without TLS or if they have them."""
    return plan.stack.certificate.ca if plan.stack.certificate else ""


def _origin(plan: Plan) -> str:
    """Return the beginning of URLs for the class: the scheme, and the host name or address."""
    settings, outside = plan.loaded.settings, lan_host(plan)
    if not settings.uses_tls:
        return f"http://{url_host(outside or settings.stack_bind_address)}"
    return f"https://{url_host(outside) if outside else plan.stack.tls_host}"
