"""Create a database, a bucket and their keys for each seat of a class.

Runs at every start. What exists stays as it is; only passwords and permissions are set again. A seat
that fails does not stop the others: its server reports the cause, and the job names the seat.
"""
# ruff: noqa: E402

import gc

if __name__ == "__main__":
    # The job ends before there is much to free, and collecting would take a fifth of its time.
    gc.disable()

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import seat_bucket
import seat_database
from s3_server import JobError

# Seats that are created at the same time.
PARALLEL = 4

Seat = Mapping[str, Any]


def main(environ: Mapping[str, str]) -> int:
    """Create what the seats need; return the exit code."""
    stack, seats = read_seats(environ)
    try:
        seat_database.prepare(stack, [seat["database"] for seat in seats])
    except (psycopg2.Error, seat_database.NotOwnError) as error:
        print(f"seats-init: PostgreSQL: {first_line(error)}", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(PARALLEL) as pool:
        problems = list(pool.map(lambda seat: create(seat, stack, environ), seats))
    for seat, problem in zip(seats, problems, strict=True):
        if problem:
            print(f"seats-init: seat {seat['name']}: {problem}", file=sys.stderr)
    print(f"seats-init: {problems.count('')} of {len(seats)} seats are ready")
    # With all of them broken, the cause is not a seat.
    return int(bool(seats) and all(problems))


def read_seats(environ: Mapping[str, str]) -> tuple[str, Sequence[Seat]]:
    """Return the id of the stack, and its seats."""
    found = json.loads(Path(environ["SEATS_FILE"]).read_text(encoding="utf-8"))
    return found["stack"], found["seats"]


def create(seat: Seat, stack: str, environ: Mapping[str, str]) -> str:
    """Create what a seat needs; return why that failed, nothing if it worked."""
    try:
        # The database, which carries the id of the stack, also tells whose the bucket is.
        if not seat_database.exists(seat, stack):
            seat_bucket.check_free(seat, environ)
        seat_database.create(seat, stack)
        seat_bucket.create(seat, environ)
    except psycopg2.Error as error:
        return f"PostgreSQL: {first_line(error)}"
    except (JobError, seat_database.NotOwnError) as error:
        return str(error)
    return ""


def chosen(seats: Sequence[Seat], name: str) -> Seat:
    """Return the seat of a name."""
    return next(seat for seat in seats if seat["name"] == name)


def first_line(error: Exception) -> str:
    """Return the first line of an error: the others may show the statement."""
    return str(error).strip().partition("\n")[0]


if __name__ == "__main__":
    # By default, the first process of a container ignores the signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(os.environ))
