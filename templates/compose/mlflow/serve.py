"""`mlflow server` in which everything is imported once.

MLflow's command creates the database tables, prepares an environment, and starts uvicorn as a
second process, which starts a third for each worker; all of them import everything again, which
takes most of the memory and of the startup time. Here, uvicorn runs in the process that MLflow's
command has prepared, and several workers are forked from it.

    python serve.py server --workers=2 ...

The tables of an empty database are created at once, not by some fifty migrations one by one. A
worker that has grown beyond WORKER_MEMORY (mebibytes) is replaced between requests; a server without
workers ends beyond SERVER_MEMORY.

All of this depends on names that MLflow does not publish: other versions than those in SERIES run
as `mlflow server` does.
"""
# ruff: noqa: E402

import gc

if __name__ == "__main__":
    # Imports allocate a lot and free little: collecting would take a fifth of the startup time.
    gc.disable()

import asyncio
import fcntl
import hmac
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from importlib import import_module
from multiprocessing.context import ForkProcess
from pathlib import Path
from socket import socket
from types import SimpleNamespace
from typing import Any, NoReturn

# Without containers, PYTHONSAFEPATH keeps it out.
sys.path.append(str(Path(__file__).parent))

import own_folder

if __name__ == "__main__":
    # Before an import chooses one.
    own_folder.choose()

import migrate
import mlflow.server
import mlflow.store.db.utils
import stop_listening
import uvicorn
import uvicorn.supervisors.multiprocess
import werkzeug.security
from mlflow.cli import cli
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

# The command of MLflow is: python -m uvicorn OPTIONS APP.
UVICORN = ["-m", "uvicorn"]
# Versions for which a test compares the app with that of `mlflow server`.
SERIES = "3.17."
MEBIBYTE = 1024 * 1024
# Seconds between two looks at a worker's memory, and that a worker waits for first requests.
LOOK_EVERY, PATIENCE = 5, 3
# Seconds after which a process that ends drops requests whose clients have stopped sending. Nothing
# accepts connections while a server without workers ends.
ENDS_WITHIN = {"WORKER_MEMORY": 600, "SERVER_MEMORY": 30}
# Passwords that are remembered at most.
PASSWORDS = 10_000


def prepare() -> None:
    """Put the functions below in place of MLflow's; it has no public hooks."""
    initialize = mlflow.store.db.utils._initialize_tables  # noqa: SLF001
    start_process = mlflow.server._exec_cmd  # noqa: SLF001

    def initialize_tables(engine: Engine) -> None:
        if not migrate.create_tables(engine):
            initialize(engine)

    def run(command: Sequence[str], **options: Any) -> object:
        # Options of the command can choose another server.
        if [*command[1:3]] == UVICORN:
            run_uvicorn(command, options["extra_env"])
        gc.enable()
        return start_process(command, **options)

    mlflow.store.db.utils._initialize_tables = initialize_tables  # noqa: SLF001
    mlflow.server._exec_cmd = run  # noqa: SLF001
    keep_first_requests()
    remember_passwords()


def take_turns() -> None:
    """Let one of several servers that start at once create tables and the first admin.

    The others wait until it starts to serve, and then find everything in the database.
    """
    if "PGSERVICEFILE" not in os.environ:
        return
    lock, start_process = migrate.lock(), mlflow.server._exec_cmd  # noqa: SLF001

    def run(*arguments: Any, **options: Any) -> object:
        migrate.release(lock)
        return start_process(*arguments, **options)

    mlflow.server._exec_cmd = run  # noqa: SLF001


def keep_first_requests() -> None:
    """Let a server that ends answer every request of which the connection was established.

    uvicorn closes connections that no worker has accepted, or on which no request has arrived yet,
    and clients lose that request.
    """
    supervisor = vars(uvicorn.supervisors.multiprocess)["Multiprocess"]
    shut_down, terminate = uvicorn.Server.shutdown, supervisor.terminate_all

    async def shutdown(server: uvicorn.Server, sockets: list[socket] | None = None) -> None:
        listening = [found for each in server.servers for found in each.sockets]
        if not Worker.is_this:
            for found in listening:
                stop_listening.refuse_others(found)
            await asyncio.sleep(stop_listening.PAUSE)
            accepted_by = time.monotonic() + stop_listening.PATIENCE
            while any(map(stop_listening.waiting, listening)) and time.monotonic() < accepted_by:
                await asyncio.sleep(stop_listening.LOOK_EVERY)
        for each in server.servers:
            each.close()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and any(
            getattr(connection, "cycle", connection) is None
            for connection in server.server_state.connections
        ):
            await asyncio.sleep(0.01)
        await shut_down(server, sockets)

    def terminate_all(workers: uvicorn.supervisors.Multiprocess) -> None:
        for listening in workers.sockets:
            stop_listening.refuse_others(listening)
        for listening in workers.sockets:
            stop_listening.wait_until_accepted(listening)
        terminate(workers)

    vars(uvicorn.server)["Server"].shutdown = shutdown
    supervisor.terminate_all = terminate_all


def remember_passwords() -> None:
    """Hash a password once for each hash in the database, which costs 100 ms by design.

    MLflow remembers a login for seconds only, so that a changed password counts soon; then it reads
    the hash again. As long as that is the same, so is the result.
    """
    check, key = werkzeug.security.check_password_hash, secrets.token_bytes(32)
    # The right password of each hash, as a digest that is worthless outside of this process.
    known: dict[str, bytes] = {}

    def check_password_hash(stored: str, password: str) -> bool:
        digest = hmac.digest(key, password.encode(), "sha256")
        if hmac.compare_digest(known.get(stored, b""), digest):
            return True
        if not check(stored, password):
            return False
        if len(known) >= PASSWORDS:
            known.clear()
        known[stored] = digest
        return True

    werkzeug.security.check_password_hash = check_password_hash


def run_uvicorn(command: Sequence[str], extra_env: Mapping[str, str]) -> NoReturn:
    """Run in this process what `mlflow.server._run_server` (3.17) would start in another."""
    os.environ.update(extra_env)
    # MLflow's app reads the environment on import, which happened before it was complete.
    for name in [*sys.modules]:
        if name.split(".")[:2] == ["mlflow", "server"]:
            del sys.modules[name]
    # The command ends with MODULE:APP.
    import_module(command[-1].partition(":")[0])
    open_stores()
    share_with_workers()
    limit_memory("SERVER_MEMORY")
    uvicorn.main([*command[1 + len(UVICORN) :]], prog_name="uvicorn")
    raise SystemExit


def open_stores() -> None:
    """Open the stores once for all workers, each of which would do so on its first request.

    Until then, a worker could not even tell its version while the database is down. And boto3 needs
    24 MB for a client of S3, which the workers share that way.
    """
    server = import_module("mlflow.server")
    if not os.environ.get(server.ARTIFACTS_ONLY_ENV_VAR):
        server.handlers.initialize_backend_stores()
    if os.environ.get(server.SERVE_ARTIFACTS_ENV_VAR) == "true":
        repository = server.handlers._get_artifact_repo_mlflow_artifacts()  # noqa: SLF001
        if load := getattr(repository, "load_client", None):
            load()


def share_with_workers() -> None:
    """Let uvicorn fork its workers, which then share the memory of all that was imported."""
    if sys.platform == "linux":
        # uvicorn 0.54 has no option for it. Libraries of macOS do not survive a fork.
        vars(uvicorn._subprocess)["spawn"] = SimpleNamespace(Process=Worker)  # noqa: SLF001
    # No two processes may use the same connection. Only the type is asked: a proxy would ask what it
    # stands for, which may be gone.
    for engine in [found for found in gc.get_objects() if issubclass(type(found), Engine)]:
        engine.dispose()
    if numpy_random := sys.modules.get("numpy.random"):
        # Unlike Python's, its numbers would be the same in all workers.
        os.register_at_fork(after_in_child=numpy_random.seed)
    # What was imported stays: collections that looked at it would also copy its memory.
    gc.freeze()
    gc.enable()


class Worker(ForkProcess):
    """A worker of uvicorn, forked from this process.

    Attributes:
        is_this: Whether this process is one.
    """

    is_this = False

    def run(self) -> None:
        """Serve until the supervisor ends it, or until it needs too much memory."""
        Worker.is_this = True
        for number in (signal.SIGINT, signal.SIGTERM):
            # Until uvicorn sets its own, those of the supervisor would only be put in its queue.
            signal.signal(number, signal.SIG_DFL)
        limit_memory("WORKER_MEMORY")
        super().run()


def limit_memory(variable: str) -> None:
    """Let this process end once it needs more memory than a variable says, if that is set."""
    limit = int(os.environ.get(variable, "0")) * MEBIBYTE
    if limit and sys.platform == "linux":
        within = int(os.environ.get("WORKER_ENDS_WITHIN", ENDS_WITHIN[variable]))
        threading.Thread(target=end_above, args=(limit, within), daemon=True).start()


def end_above(limit: int, within: int) -> None:
    """End this process gracefully once its memory is above the limit in bytes.

    Requests that it has accepted are answered first; the supervisor then starts another worker.
    Only one worker at a time: meanwhile, the others accept all connections.
    """
    time.sleep(LOOK_EVERY)
    while resident_memory() <= limit:
        time.sleep(LOOK_EVERY)
    # Held until this process has ended.
    lock = os.open(Path(tempfile.gettempdir()) / "ending-worker", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(f"process {os.getpid()} is above its memory limit and is replaced", flush=True)  # noqa: T201
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(within)
    # Otherwise a client that has gone silent would keep the lock, and no worker would be replaced.
    os._exit(1)


def resident_memory() -> int:
    """Return the memory of this process in bytes, including what it shares with its parent."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    if mlflow.__version__.startswith(SERIES):
        prepare()
    else:
        gc.enable()
    take_turns()
    cli(prog_name="mlflow")
