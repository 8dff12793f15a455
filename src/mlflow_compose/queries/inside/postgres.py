"""Run a query on PostgreSQL, as a role that can only read."""

import re
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mlflow_compose.engines.inside.answer import Failure, Request
from mlflow_compose.queries.inside import role
from mlflow_compose.queries.inside.rows import report

if TYPE_CHECKING:
    from psycopg2 import Error, extensions

# Server versions, as libpq numbers them.
CHECKS_CLIENTS = 140000
# A cursor is the one statement that can neither be several nor a change: PostgreSQL refuses to open
# one for more than one query, and for a query that returns nothing. The query is text in a setting,
# never part of another statement.
OPEN = """
DO $$
DECLARE found refcursor := 'found';
BEGIN
  OPEN found NO SCROLL FOR EXECUTE current_setting('mlflow_compose.query');
END $$
"""
KEEP = "SELECT set_config(%s, %s, false)"
UNREACHABLE = "mlflow-compose verify finds the cause"
# Milliseconds. A query may take long, but not forever if its reader is lost.
LONGEST_QUERY = 3_600_000
# Types that Python has with other limits, or in other words, than PostgreSQL: date, time, timestamp
# and interval; numeric; json and jsonb.
AS_TEXT, NUMERIC, JSON = (1082, 1083, 1266, 1114, 1184, 1186), 1700, (114, 3802)
INTEGER, DECIMAL = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d+\.\d+")


def read(request: Request) -> bool:
    """Run the query; return whether there are more rows than the limit."""
    import psycopg2

    try:
        reader, schema = log_in(request)
        with closing(reader):
            return _query(reader, schema, request)
    except psycopg2.Error as error:
        raise Failure(_sentence(error)) from None


def prepare(request: Request) -> str:
    """Make sure that the role can be logged in to; return the schema of the tables."""
    import psycopg2

    try:
        reader, schema = log_in(request)
    except psycopg2.Error as error:
        raise Failure(_sentence(error)) from None
    reader.close()
    return schema


def log_in(request: Request) -> tuple["extensions.connection", str]:
    """Log in as the role that can only read; return the session, and the schema of the tables."""
    import psycopg2

    try:
        owner = role.connect()
    except psycopg2.OperationalError as error:
        raise Failure(_sentence(error), hint=UNREACHABLE) from None
    with closing(owner):
        return role.log_in(owner, *request["reader"])


def _query(reader: "extensions.connection", schema: str, request: Request) -> bool:
    """Run the query in a session of the reader, which is never committed."""
    _register_types(reader)
    reader.set_session(readonly=True)
    with reader.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {LONGEST_QUERY:d}")
        cursor.execute(KEEP, ["search_path", schema])
        if reader.server_version >= CHECKS_CLIENTS:
            # A query whose reader has gone is ended.
            cursor.execute("SET client_connection_check_interval = '2s'")
        for number, value in enumerate(request["arguments"], 1):
            cursor.execute(KEEP, [f"mlflow_compose.argument_{number}", value])
        cursor.execute(KEEP, ["mlflow_compose.query", request["query"]])
        cursor.execute(OPEN)

        def fetch(number: int) -> Sequence[Sequence[Any]]:
            cursor.execute(f"FETCH {number:d} FROM found")
            return cursor.fetchall()

        cursor.execute("FETCH 0 FROM found")
        columns = [column.name for column in cursor.description or ()]
        return report(columns, fetch, request["limit"])


def _register_types(reader: "extensions.connection") -> None:
    from psycopg2 import extensions

    text = extensions.new_type((*AS_TEXT, *JSON), "TEXT", lambda value, _: value)
    number = extensions.new_type((NUMERIC,), "NUMBER", lambda value, _: _number(value))
    for each in (text, number):
        extensions.register_type(each, reader)


def _number(value: object) -> object:
    """Return a numeric: sums of integers and averages as numbers, what does not fit as text."""
    if not isinstance(value, str):
        return value
    if INTEGER.fullmatch(value):
        return int(value)
    return float(value) if DECIMAL.fullmatch(value) else value


def _sentence(error: "Error") -> str:
    """Return PostgreSQL's sentence, and where it stands in the query."""
    text = str(error.diag.message_primary or error).strip().splitlines()[0]
    if text.endswith("as cursor"):
        return "only one statement that reads can be run, such as a SELECT"
    position = error.diag.internal_position
    return f"{text} (at character {position})" if position else text
