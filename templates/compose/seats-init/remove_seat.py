"""Delete the databases and buckets of seats, with everything in them.

`mlflow-compose class reset` and `class remove` run this, with `{"seats": [NAME]}` on standard input.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence

import psycopg2
import seat_bucket
import seat_database
from s3_server import JobError
from seats_init import chosen, first_line, read_seats


def main(environ: Mapping[str, str], names: Sequence[str]) -> int:
    """Delete what seats have stored; return the exit code."""
    stack, seats = read_seats(environ)
    for name in names:
        seat = chosen(seats, name)
        try:
            # The database last: without it, the bucket would count as another owner's.
            if seat_database.exists(seat, stack):
                seat_bucket.remove(seat, environ)
            seat_database.remove(seat, stack)
        except (psycopg2.Error, JobError, seat_database.NotOwnError) as error:
            print(f"seats-init: seat {name}: {first_line(error)}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ, json.load(sys.stdin)["seats"]))
