"""Run PostgreSQL's client programs for a stack's database."""

from collections.abc import Collection, Sequence
from pathlib import Path

from mlflow_compose.data.backup.dumped import dump_options, qualified
from mlflow_compose.data.backup.rows import RowCounter
from mlflow_compose.engines import Engine, Outcome
from mlflow_compose.engines.base import Output
from mlflow_compose.errors import SnapshotError
from mlflow_compose.stack import POSTGRES_CLIENT

PSQL = ("psql", "-XAt", "-v", "ON_ERROR_STOP=1")
# In psql's output, in front of PostgreSQL's sentence about a statement, which ends the transaction.
SERVERS_ERROR = "ERROR:"
CLIENT_TOO_OLD = "server version mismatch"
LOADED = b"loaded"
# The dump becomes SQL, and all of it one transaction. It is only committed if pg_restore has read
# the whole dump: psql would also commit what it got until then. Servers before 17 do not know the
# setting transaction_timeout.
LOAD = r"""
{
    printf '%s\n' "$1"
    pg_restore --no-owner --no-acl --file=- && printf '%s\n' 'COMMIT;' '\echo loaded'
} | sed '1,60{/^SET transaction_timeout = 0;$/d;}' | psql -XAtq -v ON_ERROR_STOP=1 "$2"
"""


class NotLoadedError(SnapshotError):
    """The database cannot be changed as a whole, and nothing in it has changed."""


def query(engine: Engine, text: str) -> list[str]:
    """Return the rows of a query, with | between their columns.

    Raises:
        SnapshotError: The database cannot be read.
    """
    outcome = engine.run(POSTGRES_CLIENT, (*PSQL, "-c", text, login(engine)))
    check(engine, outcome)
    return outcome.stdout.decode().splitlines()


def dump_tables(engine: Engine, namespace: str, tables: Sequence[str], on_output: Output) -> None:
    """Run pg_dump for some tables.

    Raises:
        SnapshotError: The database cannot be read.
    """
    command = ("pg_dump", *dump_options(namespace, tables), login(engine))
    check(engine, engine.run(POSTGRES_CLIENT, command, on_output=on_output))


def count_rows(engine: Engine, file: Path) -> RowCounter:
    """Count the rows in a dump.

    Raises:
        SnapshotError: pg_restore cannot read it.
    """
    counter = RowCounter()
    with file.open("rb") as dumped:
        # Without --file=-, it would expect a database.
        command = ("pg_restore", "--data-only", "--file=-")
        outcome = engine.run(POSTGRES_CLIENT, command, stdin=dumped, on_output=counter.read)
    check(engine, outcome)
    return counter


def drop_tables(engine: Engine, namespace: str, tables: Collection[str]) -> None:
    """Delete tables, all or none.

    Raises:
        NotLoadedError: They cannot be deleted, for example because others refer to them.
        SnapshotError: It is not known whether they were deleted.
    """
    if not tables:
        return
    names = ", ".join(qualified(namespace, name) for name in sorted(tables))
    outcome = engine.run(POSTGRES_CLIENT, (*PSQL, "-c", f"DROP TABLE {names}", login(engine)))
    if outcome.exit_code:
        message = f"the tables cannot be deleted: {_reason(engine, outcome)}"
        raise _changeless(outcome)(message, hint="mlflow-compose logs postgres may show more")


def row_counts(engine: Engine, namespace: str, tables: Collection[str]) -> dict[str, int]:
    """Return the number of rows of some tables.

    Raises:
        SnapshotError: One of them does not exist.
    """
    names = sorted(tables)
    counts = (
        f"SELECT {place}, count(*) FROM {qualified(namespace, name)}"  # noqa: S608
        for place, name in enumerate(names)
    )
    found = (row.split("|") for row in query(engine, " UNION ALL ".join(counts)))
    return {names[int(place)]: int(number) for place, number in found}


def load_dump(engine: Engine, file: Path, namespace: str, dropped: Collection[str]) -> None:
    """Replace tables by those of a dump, all or none.

    Raises:
        NotLoadedError: The dump cannot be loaded, and nothing has changed.
        SnapshotError: It is not known whether it was loaded.
    """
    tables = ", ".join(qualified(namespace, name) for name in sorted(dropped))
    begin = f"BEGIN; DROP TABLE {tables};" if dropped else "BEGIN;"
    with file.open("rb") as dumped:
        outcome = engine.run(
            POSTGRES_CLIENT, ("sh", "-c", LOAD, "sh", begin, login(engine)), stdin=dumped
        )
    if outcome.exit_code or outcome.stdout.split()[-1:] != [LOADED]:
        message = f"the database cannot be restored: {_reason(engine, outcome)}"
        raise _changeless(outcome)(message, hint="mlflow-compose logs postgres may show more")


def login(engine: Engine) -> str:
    """Return how the clients log in to the database of a stack: by their service file."""
    return f"service={engine.stack.pg_service}"


def check(engine: Engine, outcome: Outcome) -> None:
    """Raise a SnapshotError if a client program failed."""
    if not outcome.exit_code:
        return
    hint = "mlflow-compose verify finds the cause"
    if CLIENT_TOO_OLD in outcome.stderr:
        hint = "set POSTGRES_IMAGE in .env to the major version of the database server, or newer"
    raise SnapshotError(f"the database cannot be read: {_reason(engine, outcome)}", hint=hint)


def _changeless(outcome: Outcome) -> type[SnapshotError]:
    """Return the error for a transaction that failed, by whether it is certain that it did.

    If the connection was lost, PostgreSQL may have committed without being able to say so.
    """
    return NotLoadedError if SERVERS_ERROR in outcome.stderr else SnapshotError


def _reason(engine: Engine, outcome: Outcome) -> str:
    """Return PostgreSQL's sentence, which details and hints may follow."""
    lines = outcome.stderr.splitlines()
    failed = (line.partition(SERVERS_ERROR)[2] for line in lines if SERVERS_ERROR in line)
    found = next(failed, "")
    return engine.stack.mask(found.strip() or outcome.failure)
