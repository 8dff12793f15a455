"""How PostgreSQL is logged in to: as PG_USER, and as a role that can only read."""

from collections.abc import Iterator

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials, keys
from mlflow_compose.stack.seats import seat_settings
from mlflow_compose.stack.service import SecretFile

# Secret names: files below `secrets/`, and secrets in Compose.
PG_PASSWORD = "pg_password"  # noqa: S105 - its name
PG_SERVICE = "pg_service.conf"
PG_CLIENT = "pg_client.conf"
PG_READER = "pg_reader.conf"
# Sections of the service files.
OWNER, READER = "mlflow", "reader"


def password(settings: Settings) -> SecretFile:
    """Return the password that the database is created with."""
    return SecretFile(PG_PASSWORD, credentials.reveal(settings.pg_password), "Password of PG_USER.")


def service(settings: Settings, database: tuple[str, int], ca_certs: str) -> SecretFile:
    """Return the libpq service file with which MLflow connects to the database.

    libpq ignores a password file that other users may read, but not a service file:
    https://www.postgresql.org/docs/current/libpq-pgservice.html

    Args:
        settings: Validated settings.
        database: Host and port.
        ca_certs: Path of the CA certificates, empty for none.
    """
    text = _service(OWNER, _owner(settings), settings, database, ca_certs)
    return SecretFile(PG_SERVICE, text, "How MLflow connects to the database (libpq service file).")


def client(
    settings: Settings, stack_id: str, database: tuple[str, int], ca_certs: str
) -> SecretFile:
    """Return the libpq service file of psql and pg_dump: as PG_USER, and as the reader."""
    logins = {OWNER: _owner(settings), READER: keys.reader(settings, stack_id)}
    sections = [
        *(_service(name, login, settings, database, ca_certs) for name, login in logins.items()),
        *_of_seats(settings, database, ca_certs),
    ]
    text = "\n".join(sections)
    return SecretFile(PG_CLIENT, text, "How psql and pg_dump connect (libpq service file).")


def reader(
    settings: Settings, stack_id: str, database: tuple[str, int], ca_certs: str
) -> SecretFile:
    """Return the libpq service file of clients that only have the role that can only read."""
    login = keys.reader(settings, stack_id)
    text = _service(READER, login, settings, database, ca_certs)
    # The role can change no table; this keeps it from creating temporary ones and large objects.
    text += "options=-c default_transaction_read_only=on\n"
    return SecretFile(PG_READER, text, "How pgAdmin connects (libpq service file).")


def _of_seats(settings: Settings, database: tuple[str, int], ca_certs: str) -> Iterator[str]:
    for seat in settings.seats:
        own = seat_settings(settings, seat)
        yield _service(seat.service, _owner(own), own, database, ca_certs)


def _owner(settings: Settings) -> tuple[str, str]:
    return settings.pg_user, credentials.reveal(settings.pg_password)


def _service(
    name: str,
    login: tuple[str, str],
    settings: Settings,
    database: tuple[str, int],
    ca_certs: str,
) -> str:
    """Return a section of a libpq service file."""
    (user, password), (host, port) = login, database
    certificates = f"sslrootcert={ca_certs}\n" if ca_certs else ""
    return (
        f"[{name}]\n"
        f"host={host}\n"
        f"port={port}\n"
        f"dbname={settings.pg_database}\n"
        f"user={user}\n"
        f"password={password}\n"
        f"sslmode={settings.pg_sslmode}\n"
        f"{certificates}"
    )
