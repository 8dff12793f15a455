"""Starts pgAdmin, connected to the stack's database.

It runs as in pgAdmin's own container: by gunicorn, as one process with threads.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Variables that would override the options of the stack, or turn the login off.
FOREIGN = ("PGADMIN_", "SQLITE_PATH", "SCRIPT_NAME", "GUNICORN_CMD_ARGS", "PG")
# One process, since sessions are in its memory; the number of threads in pgAdmin's container.
GUNICORN = ("--workers", "1", "--threads", "25", "--no-control-socket")
# pgAdmin may take long to start on a busy machine; requests end by themselves.
PATIENT = ("--timeout", "0")


def main() -> None:
    """Replace this process by pgAdmin."""
    given = os.environ
    address = f"{given['LISTEN_ADDRESS']}:{given['LISTEN_PORT']}"
    command = (
        *(sys.executable, "-m", "gunicorn", *GUNICORN, *PATIENT),
        *("--bind", address, "--chdir", str(HERE), "stack_pgadmin:application"),
    )
    variables = dict(environment(given))
    os.execve(command[0], command, variables)


def environment(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables of pgAdmin."""
    for name, value in given.items():
        if not name.startswith(FOREIGN):
            yield name, value
    secrets = Path(given["SECRETS_DIR"]).absolute()
    data = Path(given["DATA"]).absolute()
    yield "CONFIG_DISTRO_FILE_PATH", str(HERE / "pgadmin_options.py")
    yield "PGADMIN_SERVER_MODE", "ON"
    yield "PGADMIN_DATA", str(data)
    yield "PGADMIN_PASSWORD_FILE", str(secrets / "pgadmin_password")
    yield "PGSERVICEFILE", str(secrets / "pg_reader.conf")


if __name__ == "__main__":
    main()
