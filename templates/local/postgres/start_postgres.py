"""Create the database if it does not exist, then become the PostgreSQL server.

The variables are those of the official image (POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE,
PGDATA), and PGPORT, LISTEN_ADDRESSES and RUN_AS: the user to switch to if root starts the server,
since PostgreSQL refuses to run as root. The arguments are options of the server.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

# initdb fails if the name of the first user contains one of these: that user owns an extension,
# for which PostgreSQL rejects them (`src/backend/commands/extension.c`).
REFUSED = frozenset("\"$'\\")
PLAIN_USER = "mlflow"
MASK = "********"
# Parent of the data folders if root starts the server.
STATE = Path("/var/lib/mlflow-compose")
# File in each data folder with the id of the stack that it belongs to.
NOTE = ".mlflow-compose"
# Seconds to wait for the processes of a killed server.
PATIENCE = 10


def main(environ: Mapping[str, str], options: Sequence[str]) -> None:
    """Start the server, with options, in place of this process; return only by an exception."""
    if environ["RUN_AS"]:
        make_folder(Path(environ["PGDATA"]).parent, environ["STACK_SERVICE"].partition("/")[0])
    # The parent folder may be a link to a place that users other than root can reach.
    data = Path(environ["PGDATA"]).resolve()
    password = Path(environ["POSTGRES_PASSWORD_FILE"]).read_text(encoding="utf-8")
    if environ["RUN_AS"]:
        become(find_user(environ["RUN_AS"]), data.parent)
    if not data.exists():
        make_database(data, environ["POSTGRES_USER"], environ["POSTGRES_DB"], password)
    if drop_stale_lock(data / "postmaster.pid"):
        wait_for_children(data)
    settings = {
        "listen_addresses": environ["LISTEN_ADDRESSES"],
        "port": environ["PGPORT"],
        # Clients connect over TCP; the path of a socket is limited to about 100 characters.
        "unix_socket_directories": "",
    }
    own = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    sys.stdout.flush()
    os.execvp("postgres", ["postgres", "-D", str(data), *options, *own])


def make_folder(folder: Path, identity: str, state: Path = STATE) -> None:
    """Create the data folder if it does not exist, as a link to a folder that others can reach.

    The file with the stack's id is needed for `mlflow-compose down --volumes` to delete the folder.
    """
    if os.path.lexists(folder):
        return
    folder.parent.mkdir(exist_ok=True, mode=0o700)
    place = state / secrets.token_hex(6) / folder.name
    place.mkdir(parents=True, mode=0o700)
    for parent in (state, place.parent):
        # Independent of root's umask.
        parent.chmod(0o711)
    (place / NOTE).write_text(f"{identity}\n", encoding="ascii")
    folder.symlink_to(place)


def find_user(name: str) -> pwd.struct_passwd:
    """Return the user that the server runs as."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        sys.exit(f"the user {name} of PostgreSQL does not exist: mlflow-compose up creates it")


def become(user: pwd.struct_passwd, folder: Path) -> None:
    """Switch from root to a user that owns the data folder and nothing else."""
    os.chown(folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir(folder)


def make_database(data: Path, user: str, name: str, password: str) -> None:
    """Create a cluster with one superuser and one database, completely or not at all."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        fill(new, user, name, password)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    new.rename(data)


def fill(new: Path, user: str, name: str, password: str) -> None:
    """Create the cluster in a new folder."""
    plain = user if not REFUSED.intersection(user) else PLAIN_USER
    # No `trust` authentication: every login needs the password, from this machine too.
    command = ["initdb", "-D", str(new), "-U", plain, "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
    # Maps upper and lower case of all letters, independent of the machine's locales.
    locale = [
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    run([*command, *locale], password, secret=password)
    with (new / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        # As in the official image; PG_PUBLISH determines where the server listens.
        rules.write("host all all all scram-sha-256\n")
    statements = []
    if plain != user:
        # ALTER ROLE cannot rename the user of the current session, the only one here.
        new_name, old_name = quoted(user, "'"), quoted(plain, "'")
        rename = f"UPDATE pg_authid SET rolname = {new_name} WHERE rolname = {old_name}"  # noqa: S608 - quoted
        statements.append(rename)
    if name != "postgres":
        statements.append("CREATE DATABASE " + quoted(name, '"'))
    if statements:
        # Without exit_on_error, the exit code is 0 even if a statement fails.
        single = ["postgres", "--single", "-j", "-c", "exit_on_error=on", "-D", str(new)]
        run([*single, "postgres"], "".join(f"{statement};\n\n" for statement in statements))


def quoted(text: str, mark: str) -> str:
    """Return text as SQL quotes it: names in double quotes, strings in single ones."""
    return mark + text.replace(mark, mark * 2) + mark


def run(command: list[str], given: str, *, secret: str = "") -> None:
    """Run a program and print its output, with the secret masked; exit if it fails."""
    done = subprocess.run(
        command,
        input=given.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    # initdb prints the statement that fails, in which these two are doubled.
    escaped = secret.replace("\\", "\\\\").replace("'", "''")
    for text in (escaped, secret) if secret else ():
        output = output.replace(text, MASK)
    sys.stdout.write(output)
    if done.returncode:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}")


def drop_stale_lock(lock: Path) -> bool:
    """Remove the lock file of a server that no longer runs, and tell whether there was one.

    PostgreSQL does this itself, unless another process has the same id by now.
    """
    try:
        # A single-user session writes a negative one.
        pid = abs(int(lock.read_text(encoding="utf-8").split()[0]))
        # Servers of other stacks have that name too, but run in their own data folders.
        stale = not is_server_in(lock.parent, psutil.Process(pid))
    except (psutil.Error, ValueError, IndexError):
        stale = True
    except FileNotFoundError:
        return False
    if stale:
        lock.unlink()
    return stale


def wait_for_children(data: Path) -> None:
    """Wait for the processes of a killed server: PostgreSQL does not start beside their memory.

    They end by themselves, but not at once. No mark shows whose they are: PostgreSQL overwrites
    the environment of its processes with their titles.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not any(is_server_in(data, process) for process in psutil.process_iter()):
            return
        time.sleep(0.05)


def is_server_in(data: Path, process: psutil.Process) -> bool:
    """Tell whether a process is one of PostgreSQL's that works in a data folder."""
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data
    except (psutil.Error, OSError):
        # It has ended, or belongs to another user.
        return False


if __name__ == "__main__":
    main(os.environ, sys.argv[1:])
