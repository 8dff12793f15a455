"""Count what the seats of a class have stored, again for each line of standard input.

Runs in seats-init, which knows the databases, the buckets and the keys of all seats; or in the
service of MLflow, if one server is for all and each seat has a workspace or an experiment there.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from mlflow_compose.engines.inside import answer
from mlflow_compose.engines.inside.answer import Request

# Seconds after which the sizes of buckets are read again: their lists of objects may be long.
SIZES_EVERY = 60
# Metrics may have any time, which clients choose, even one in the future.
COUNT = """
SELECT (SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'),
       greatest((SELECT max(greatest(start_time, end_time)) FROM runs),
                (SELECT max(timestamp) FROM latest_metrics
                 WHERE timestamp <= extract(epoch FROM now()) * 1000),
                (SELECT max(timestamp_ms) FROM trace_info)),
       pg_database_size(current_database())
"""
# By the column that tells whose an experiment is; for any kind of database.
COUNT_SHARED = """
SELECT e.{place}, count(CASE WHEN r.lifecycle_stage = 'active' THEN 1 END),
       max(r.start_time), max(r.end_time)
FROM experiments e LEFT JOIN runs r ON r.experiment_id = e.experiment_id
GROUP BY e.{place}
"""
LIMITS = "SET default_transaction_read_only = on; SET statement_timeout = 5000"

Seat = Mapping[str, Any]


def main(request: Request) -> None:
    """Answer every line with what is stored in each seat, by its name."""
    if place := request["place"]:
        for _ in sys.stdin.buffer:
            answer.item(of_places(request["backend"], place))
        return
    seats = json.loads(Path(os.environ["SEATS_FILE"]).read_text(encoding="utf-8"))["seats"]
    sizes = Sizes(seats)
    for _ in sys.stdin.buffer:
        sizes.refresh(waits=request["waits"])
        answer.item({seat["name"]: found(seat, sizes) for seat in seats})


def of_places(backend: str, place: str) -> Mapping[str, Mapping[str, int | None]]:
    """Return the runs and the last activity in each place of a server, by its name.

    Args:
        backend: URI of the database.
        place: Column of experiments that names the place: workspace or name.
    """
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    query = COUNT_SHARED.format(place={"workspace": "workspace", "name": "name"}[place])
    try:
        with create_engine(backend, poolclass=NullPool).connect() as connection:
            rows = connection.execute(text(query)).fetchall()
    except SQLAlchemyError:
        # The server is down, or is being replaced.
        return {}
    return {
        name: {"runs": runs, "last": max(filter(None, times), default=None), "storage": None}
        for name, runs, *times in rows
    }


def found(seat: Seat, sizes: "Sizes") -> Mapping[str, int | None]:
    """Return what is stored in a seat, None for what cannot be read."""
    runs, last, database = counted(seat)
    bucket = sizes.of.get(seat["name"])
    storage = None if database is None or bucket is None else database + bucket
    return {"runs": runs, "last": last, "storage": storage}


def counted(seat: Seat) -> Sequence[int | None]:
    """Return the number of runs, the time of the last activity, and the size of the database."""
    rows = _rows(f"dbname={seat['database']}", COUNT) or [(None, None, None)]
    return [None if value is None else int(value) for value in rows[0]]


def _rows(login: str, query: str) -> Sequence[Sequence[Any]]:
    """Return the rows of a query; none if the database is being reset, or its server is down."""
    import psycopg2

    try:
        with (
            closing(psycopg2.connect(f"service=mlflow connect_timeout=5 {login}")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(LIMITS)
            connection.commit()
            cursor.execute(query)
            return cursor.fetchall()
    except psycopg2.Error:
        return ()


class Sizes:
    """Bytes in the bucket of each seat, read in a thread of their own.

    Attributes:
        of: Bytes by the name of the seat, without those that are not known.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._seats = seats
        self._thread: Thread | None = None
        self._read_at = -float(SIZES_EVERY)
        self.of: Mapping[str, int] = {}

    def refresh(self, *, waits: bool) -> None:
        """Read them again if that is due.

        Args:
            waits: Whether to return only when they are read.
        """
        is_due = time.monotonic() - self._read_at >= SIZES_EVERY
        if is_due and not (self._thread and self._thread.is_alive()):
            self._thread = Thread(target=self._read, daemon=True)
            self._thread.start()
        if waits and self._thread:
            self._thread.join()

    def _read(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        sizes: dict[str, int] = {}
        for seat in self._seats:
            with suppress(BotoCoreError, ClientError):
                sizes[seat["name"]] = _size(seat)
                # The first time, each is shown as soon as it is known.
                self.of = {**self.of, **sizes}
        self.of, self._read_at = sizes, time.monotonic()


def _size(seat: Seat) -> int:
    """Return the bytes in a seat's bucket, listed with its own key, which works on every server."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        region_name=os.environ["AWS_DEFAULT_REGION"],
        aws_access_key_id=seat["key_id"],
        aws_secret_access_key=seat["secret"],
        config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 1}),
    )
    with closing(client):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=seat["bucket"])
        return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))
