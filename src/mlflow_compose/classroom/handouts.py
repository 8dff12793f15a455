"""What is handed out to a class: printed pages, and a folder for each seat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlflow_compose.classroom import seat_files as files
from mlflow_compose.classroom.access import Access
from mlflow_compose.classroom.qr import qr_code
from mlflow_compose.classroom.seat_files import Server, seat_files, statements
from mlflow_compose.classroom.table import rows_of, table_csv
from mlflow_compose.render import page

ALL, TABLE, TABLE_CSV, HANDOUT = "all.html", "table.html", "table.csv", "handout.html"
PAGES, TABLE_PAGE = "classroom/handout.html.j2", "classroom/table.html.j2"
# Git must not take the passwords.
IGNORED = {".gitignore": "*\n"}
# Characters of names up to which they are printed large.
LARGE = 60


@dataclass(frozen=True)
class Printed:
    """What the page of a seat shows; a template lays it out."""

    seat: str
    names: str
    size: str
    url: str
    qr: str
    user: str
    password: str = field(repr=False)
    experiment: str | None
    workspace: str | None
    certificate: str | None
    client: str
    python: str = field(repr=False)
    bash: str = field(repr=False)
    powershell: str = field(repr=False)
    bash_file: str = files.BASH_FILE
    powershell_command: str = files.POWERSHELL_COMMAND
    check_file: str = files.CHECK_FILE
    run_file: str = files.RUN_FILE
    notebook_file: str = files.NOTEBOOK_FILE


def handouts(
    accesses: Sequence[Access], server: Server, sources: Mapping[str, str]
) -> Mapping[str, str]:
    """Return all files of a class's hand-outs, by path.

    Args:
        accesses: How the people of each seat reach their server.
        server: What is the same for all seats.
        sources: Texts of the programs and of the notebook, by name.
    """
    pages = [printed(access, server) for access in accesses]
    title = f"Seats of the class on {server.name}"
    shared = [access.seat for access in accesses if access.experiment]
    table = {"title": title, "rows": [*rows_of(accesses)], "experiments": shared or None}
    found = {
        **IGNORED,
        ALL: page(PAGES, {"title": title, "pages": pages}),
        TABLE: page(TABLE_PAGE, table),
        TABLE_CSV: table_csv(accesses),
    }
    for access, one in zip(accesses, pages, strict=True):
        values = {"title": f"Seat {one.seat}", "pages": [one]}
        found[f"{access.seat}/{HANDOUT}"] = page(PAGES, values)
        for name, text in seat_files(access, server, sources).items():
            found[f"{access.seat}/{name}"] = text
    return found


def printed(access: Access, server: Server) -> Printed:
    """Return what the page of a seat shows."""
    return Printed(
        seat=access.seat,
        names=access.names,
        size="short" if len(access.names) <= LARGE else "long",
        url=access.url,
        qr=qr_code(access.url),
        user=access.user,
        password=access.password,
        experiment=access.experiment or None,
        workspace=access.workspace or None,
        certificate=server.ca_file if access.ca_certs else None,
        client=server.client,
        python=statements(access, server, "python"),
        bash=statements(access, server, "bash"),
        powershell=statements(access, server, "powershell"),
    )
