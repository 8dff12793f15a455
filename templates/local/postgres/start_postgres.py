"""Make the database where there is none, then become the PostgreSQL server.

The variables are those of the official image: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE
and PGDATA; beside them PGPORT, LISTEN_ADDRESSES, and RUN_AS for root, as whom the server refuses
to run.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil


def main(environ: Mapping[str, str]) -> None:
    """Do it; returns only by an exception."""
    # The folder above may be a link, out of folders that only root may pass.
    data = Path(environ["PGDATA"]).resolve()
    password = Path(environ["POSTGRES_PASSWORD_FILE"]).read_text(encoding="utf-8")
    if environ["RUN_AS"]:
        become(pwd.getpwnam(environ["RUN_AS"]), data.parent)
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
    # No trust for anybody: every login, also from this machine, takes the password.
    command = ["initdb", "-D", str(new), "-U", user, "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
    # One that knows upper and lower case of all letters, whatever the machine has installed.
    locale = [
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    run([*command, *locale], password)
    with (new / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        # As the official image does: where it listens at all is PG_PUBLISH's to say.
        rules.write("host all all all scram-sha-256\n")
    if name != "postgres":
        single = ["postgres", "--single", "-j", "-D", str(new), "postgres"]
        run(single, f'CREATE DATABASE "{name}"\n')
    new.rename(data)


def run(command: list[str], given: str) -> None:
    """Run a program, which says itself why it fails."""
    done = subprocess.run(command, input=given.encode(), check=False)
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
