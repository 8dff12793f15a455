"""Starts pgAdmin, connected to the stack's database.

It runs as in pgAdmin's own container: by gunicorn, as one process with threads.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Variables of a user's shell that would change options of the stack, or turn the login off.
FOREIGN = ("PG", "GUNICORN_", "SQLITE_PATH", "SCRIPT_NAME")
# Sessions are in the memory of the process, so there is only one; pgAdmin's container has as many
# threads. There is no time limit, as it starts slowly on a busy machine.
GUNICORN = ("--workers=1", "--threads=25", "--timeout=0", "--no-control-socket")


def main() -> None:
    """Replace this process by pgAdmin."""
    address, port = os.environ["PGADMIN_ADDRESS"], os.environ["PGADMIN_PORT"]
    host = f"[{address}]" if ":" in address else address
    variables = dict(environment(os.environ))
    Path(variables["TMPDIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    server = (sys.executable, "-m", "gunicorn", *GUNICORN, f"--bind={host}:{port}")
    command = (*server, f"--chdir={HERE}", "stack_pgadmin:application")
    os.execve(command[0], command, variables)


def environment(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables of pgAdmin; no path is relative, as it works in another folder."""
    for name, value in given.items():
        if not name.startswith(FOREIGN):
            yield name, value
    secrets, data = (Path(given[name]).absolute() for name in ("SECRETS_DIR", "PGADMIN_DATA"))
    yield "CONFIG_DISTRO_FILE_PATH", str(HERE / "pgadmin_options.py")
    yield "PGADMIN_SERVER_MODE", "ON"
    yield "PGADMIN_EMAIL", given["PGADMIN_EMAIL"]
    yield "PGADMIN_PASSWORD_FILE", str(secrets / "pgadmin_password")
    yield "PGADMIN_DATA", str(data)
    yield "PGSERVICEFILE", str(secrets / "pg_reader.conf")
    yield "TMPDIR", str(data / "tmp")
    # Without a container, libpq would find the owner's passwords and keys in the home folder.
    yield "HOME", str(data)
    yield "PGPASSFILE", os.devnull


if __name__ == "__main__":
    main()
