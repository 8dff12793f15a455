"""Run a query on PostgreSQL, as a role that can only read."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from mlflow_compose.engines.inside.answer import Failure, Request
from mlflow_compose.queries.inside.rows import report
from mlflow_compose.queries.inside.tables import READABLE

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
TABLES = """
SELECT relname, has_table_privilege(%(role)s, oid, 'SELECT'),
       has_table_privilege(%(role)s, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""
POWERS = """
SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
       OR EXISTS (SELECT 1 FROM pg_auth_members WHERE member = r.oid)
FROM pg_roles r WHERE rolname = %s
"""
UNREACHABLE = "mlflow-compose verify finds the cause"
# Milliseconds. A query may take long, but not forever if its reader is lost.
LONGEST_QUERY, LONGEST_GRANT = 3_600_000, 30_000
# Types that Python has with other limits, or in other words, than PostgreSQL: date, time, timestamp
# and interval; numeric; json and jsonb.
AS_TEXT, NUMERIC, JSON = (1082, 1083, 1266, 1114, 1184, 1186), 1700, (114, 3802)
INTEGER, DECIMAL = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d+\.\d+")


def read(request: Request) -> bool:
    """Run the query; return whether there are more rows than the limit."""
    import psycopg2

    try:
        owner = _connect()
    except psycopg2.OperationalError as error:
        raise Failure(_sentence(error), hint=UNREACHABLE) from None
    try:
        with closing(owner):
            reader, schema = _reader(owner, request["id"])
        with closing(reader):
            return _query(reader, schema, request)
    except psycopg2.Error as error:
        raise Failure(_sentence(error)) from None


def _connect(login: str = "") -> "extensions.connection":
    import psycopg2

    return psycopg2.connect(f"service=mlflow application_name=mlflow-compose {login}")


def _reader(owner: "extensions.connection", identity: str) -> tuple["extensions.connection", str]:
    """Log in as the role that can only read; return the session, and the schema of the tables.

    Raises:
        Failure: The role cannot be created, or may do more than read.
    """
    import psycopg2

    # The server may be shared by stacks; the name says whose role it is.
    role = f"mlflow_reader_{identity}"
    secret = hmac.new(owner.info.password.encode(), role.encode(), hashlib.sha256).hexdigest()
    login = f"user={role} password={secret}"
    with owner.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {LONGEST_GRANT:d}")
        reader = None
        with suppress(psycopg2.OperationalError):
            reader = _connect(login)
        if reader is None:
            _create(cursor, role, secret)
        _grant(cursor, role)
        cursor.execute("SELECT quote_ident(current_schema())")
        ((schema,),) = cursor.fetchall()
    owner.commit()
    return reader or _connect(login), str(schema)


def _create(cursor: "extensions.cursor", role: str, secret: str) -> None:
    """Create the role, or set its password again.

    Raises:
        Failure: PG_USER may not do that.
    """
    from psycopg2 import errors, extensions, sql

    # What the server stores: statements, with the password in them, may be logged.
    stored = extensions.encrypt_password(secret, role, scope=cursor.connection)
    cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", [role])
    ((exists,),) = cursor.fetchall()
    verb = "ALTER" if exists else "CREATE"
    statement = sql.SQL(verb + " ROLE {} LOGIN NOINHERIT PASSWORD {}")
    try:
        cursor.execute(statement.format(sql.Identifier(role), sql.Literal(stored)))
    except errors.InsufficientPrivilege:
        raise Failure(
            "PG_USER may not create the role that can only read",
            hint="let an administrator of the server run: "
            f"{verb} ROLE {role} LOGIN NOINHERIT PASSWORD '{stored}'",
        ) from None


def _grant(cursor: "extensions.cursor", role: str) -> None:
    """Allow the role to read the tables that hold no secrets.

    Raises:
        Failure: It may do more.
    """
    from psycopg2 import sql

    cursor.execute(POWERS, [role])
    ((is_powerful,),) = cursor.fetchall()
    cursor.execute(TABLES, {"role": role})
    found = cursor.fetchall()
    if is_powerful or any(
        writes or (reads and name not in READABLE) for name, reads, writes in found
    ):
        raise Failure(
            f"the role {role} may do more than read the tables that hold no secrets",
            hint=f"remove it; it is created again: DROP OWNED BY {role}; DROP ROLE {role}",
        )
    name = sql.Identifier(role)
    for table in [name for name, reads, _ in found if name in READABLE and not reads]:
        grant = sql.SQL("GRANT SELECT ON {} TO {}")
        cursor.execute(grant.format(sql.Identifier(table), name))
    cursor.execute(
        "SELECT current_schema(), has_schema_privilege(%s, current_schema(), 'USAGE')", [role]
    )
    ((schema, is_used),) = cursor.fetchall()
    if not is_used:
        usage = sql.SQL("GRANT USAGE ON SCHEMA {} TO {}")
        cursor.execute(usage.format(sql.Identifier(schema), name))


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
