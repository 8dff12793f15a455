"""Make the database where there is none, then become the PostgreSQL server.

The variables are those of the official image: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE
and PGDATA; beside them PGPORT, LISTEN_ADDRESSES, and RUN_AS for root, as whom the server refuses
to run.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

# PostgreSQL makes no cluster whose first user has one of them in its name: that user owns an
# extension, and they are refused there (`src/backend/commands/extension.c`).
REFUSED = frozenset("\"$'\\")
PLAIN_USER = "mlflow"
MASK = "********"
# Where the data is if root starts the server.
STATE = Path("/var/lib/mlflow-compose")
# In each folder of data: the id of the stack whose it is.
NOTE = ".mlflow-compose"


def main(environ: Mapping[str, str]) -> None:
    """Do it; returns only by an exception."""
    if environ["RUN_AS"]:
        make_folder(Path(environ["PGDATA"]).parent, environ["STACK_SERVICE"].partition("/")[0])
    # The folder above may be a link, out of folders that only root may pass.
    data = Path(environ["PGDATA"]).resolve()
    password = Path(environ["POSTGRES_PASSWORD_FILE"]).read_text(encoding="utf-8")
    if environ["RUN_AS"]:
        become(find_user(environ["RUN_AS"]), data.parent)
    if not data.exists():
        make_database(data, environ["POSTGRES_USER"], environ["POSTGRES_DB"], password)
    drop_stale_lock(data / "postmaster.pid")
    settings = {
        "listen_addresses": environ["LISTEN_ADDRESSES"],
        "port": environ["PGPORT"],
        # Clients come by TCP; the path of a socket may not be longer than 100 characters.
        "unix_socket_directories": "",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    sys.stdout.flush()
    os.execvp("postgres", ["postgres", "-D", str(data), *options])


def make_folder(folder: Path, identity: str, state: Path = STATE) -> None:
    """Make the folder of the data if there is none: a link out of folders that only root enters.

    Without the stack's id in it, `mlflow-compose down --volumes` would not delete it.
    """
    if os.path.lexists(folder):
        return
    folder.parent.mkdir(exist_ok=True, mode=0o700)
    place = state / secrets.token_hex(6) / folder.name
    place.mkdir(parents=True, mode=0o700)
    for parent in (state, place.parent):
        # Whatever root's umask is.
        parent.chmod(0o711)
    (place / NOTE).write_text(f"{identity}\n", encoding="ascii")
    folder.symlink_to(place)


def find_user(name: str) -> pwd.struct_passwd:
    """Return the user as whom the server runs."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        sys.exit(f"there is no user {name}, as whom the database runs: mlflow-compose up makes it")


def become(user: pwd.struct_passwd, folder: Path) -> None:
    """Give up root for a user that owns the folder of the data and nothing else."""
    os.chown(folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir(folder)


def make_database(data: Path, user: str, name: str, password: str) -> None:
    """Make a cluster with one superuser and one database; half of one is never left behind."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        fill(new, user, name, password)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    new.rename(data)


def fill(new: Path, user: str, name: str, password: str) -> None:
    """Make the cluster in a folder of its own."""
    plain = user if not REFUSED.intersection(user) else PLAIN_USER
    # No trust for anybody: every login, also from this machine, takes the password.
    command = ["initdb", "-D", str(new), "-U", plain, "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
    # One that knows upper and lower case of all letters, whatever the machine has installed.
    locale = [
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    run([*command, *locale], password, secret=password)
    with (new / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        # As the official image does: where it listens at all is PG_PUBLISH's to say.
        rules.write("host all all all scram-sha-256\n")
    statements = []
    if plain != user:
        # ALTER ROLE cannot rename the user of its own session, which is the only one here.
        new_name, old_name = quoted(user, "'"), quoted(plain, "'")
        rename = f"UPDATE pg_authid SET rolname = {new_name} WHERE rolname = {old_name}"  # noqa: S608 - quoted
        statements.append(rename)
    if name != "postgres":
        statements.append("CREATE DATABASE " + quoted(name, '"'))
    if statements:
        # By itself this server ends with exit code 0 whatever its statements came to.
        single = ["postgres", "--single", "-j", "-c", "exit_on_error=on", "-D", str(new)]
        run([*single, "postgres"], "".join(f"{statement};\n\n" for statement in statements))


def quoted(text: str, mark: str) -> str:
    """Return text as SQL quotes it: names in double quotes, strings in single ones."""
    return mark + text.replace(mark, mark * 2) + mark


def run(command: list[str], given: str, *, secret: str = "") -> None:
    """Run a program, which says itself why it fails; a secret is masked in what it says."""
    done = subprocess.run(
        command,
        input=given.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    # initdb prints the statement that fails, in which it doubles these two.
    escaped = secret.replace("\\", "\\\\").replace("'", "''")
    for text in (escaped, secret) if secret else ():
        said = said.replace(text, MASK)
    sys.stdout.write(said)
    if done.returncode:
        sys.exit(f"{command[0]} ended with exit code {done.returncode}")


def drop_stale_lock(lock: Path) -> None:
    """Remove the lock file of a server that is gone.

    PostgreSQL does so itself, unless its number belongs to another process by now.
    """
    try:
        owner = psutil.Process(int(lock.read_text(encoding="utf-8").split()[0]))
        # Another stack has a server of that name too; each works in the folder of its data.
        stale = owner.name() != "postgres" or Path(owner.cwd()) != lock.parent
    except (psutil.Error, ValueError, IndexError):
        stale = True
    except FileNotFoundError:
        return
    if stale:
        lock.unlink()


if __name__ == "__main__":
    main(os.environ)
