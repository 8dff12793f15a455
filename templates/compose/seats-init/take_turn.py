"""Start a seat's server when it is its turn: only a few servers start at the same time.

    python take_turn.py COMMAND...

Each start takes seconds of a processor. If dozens competed, none would answer for minutes; so a
turn is a locked file, held until the server answers, and the system frees it if its holder dies.
"""

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Turns on a machine with one processor.
LEAST = 2
# Seconds between attempts, and until a server that does not answer gives up its turn.
RETRY_EVERY, LONGEST_TURN = 0.2, 60.0
ANSWER = b" 200 "


def main(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Become the command when it is its turn; return only by an exception."""
    turn = wait_for_turn(Path(environ["TURNS_FOLDER"]), max(LEAST, os.cpu_count() or 1))
    server, address = os.getpid(), (environ["TURN_ADDRESS"], int(environ["TURN_PORT"]))
    # A grandchild, which the first process of the container or of the machine collects.
    if not os.fork():
        if not os.fork():
            hold(server, address, time.monotonic() + LONGEST_TURN)
        os._exit(0)
    os.wait()
    os.close(turn)
    os.execvp(command[0], [*command])


def wait_for_turn(folder: Path, turns: int) -> int:
    """Return the open file of a turn, which is locked as long as a process has it open."""
    while True:
        for number in range(turns):
            file = os.open(folder / f"turn-{number}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            os.close(file)
        time.sleep(RETRY_EVERY)


def hold(server: int, address: tuple[str, int], deadline: float) -> None:
    """Return when a server answers or has ended, or at the deadline."""
    while time.monotonic() < deadline and runs(server) and not answers(address):
        time.sleep(RETRY_EVERY)


def runs(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(address: tuple[str, int]) -> bool:
    """Tell whether a server is healthy."""
    with contextlib.suppress(OSError), socket.create_connection(address, 4) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return ANSWER in connection.recv(64)
    return False


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
