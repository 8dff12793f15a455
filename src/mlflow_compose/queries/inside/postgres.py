"""Run a query on PostgreSQL, as a role that can only read."""

import hashlib
import hmac
from collections.abc import Sequence
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
MAY_CREATE = """
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND has_schema_privilege(%s, nspname, 'CREATE')
"""
RIGHTS = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = %s"
TABLES = """
SELECT relname, has_table_privilege(%s, oid, 'SELECT') FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


def read(request: Request) -> bool:
    """Run the query; return whether there are more rows than the limit."""
    import psycopg2

    try:
        with _connect() as owner:
            role, password = _reader(owner, request["id"])
        return _query(request, f"user={role} password={password}")
    except psycopg2.Error as error:
        raise Failure(_sentence(error)) from None


def _connect(login: str = "") -> "extensions.connection":
    import psycopg2

    return psycopg2.connect(f"service=mlflow application_name=mlflow-compose {login}")


def _reader(owner: "extensions.connection", identity: str) -> tuple[str, str]:
    """Create the role that can only read, or repair it; return its name and password.

    Raises:
        Failure: PG_USER may not create roles, or the role could change something.
    """
    # The server may be shared by stacks; the name says whose role it is.
    role = f"mlflow_reader_{identity}"
    secret = hmac.new(owner.info.password.encode(), role.encode(), hashlib.sha256).hexdigest()
    with owner.cursor() as cursor:
        # One at a time: two transactions cannot change the same role.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [role])
        _create(cursor, role, secret)
        _grant(cursor, role)
        cursor.execute(MAY_CREATE, [role])
        if schemas := [name for (name,) in cursor.fetchall()]:
            raise Failure(
                f"every user of the database may create objects in the schema {schemas[0]}",
                hint=f"REVOKE CREATE ON SCHEMA {schemas[0]} FROM PUBLIC",
            )
    owner.commit()
    return role, secret


def _create(cursor: "extensions.cursor", role: str, secret: str) -> None:
    from psycopg2 import sql

    name = sql.Identifier(role)
    cursor.execute(EXISTS, [role])
    if cursor.fetchone() is None:
        if not _value(cursor, RIGHTS):
            raise Failure(
                "PG_USER may not create the role that can only read",
                hint="let an administrator of the server run: ALTER ROLE … CREATEROLE, for PG_USER",
            )
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN NOINHERIT").format(name))
    cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD %s").format(name), [secret])
    # For other programs that log in with it: a query here is read-only anyway.
    cursor.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name))


def _grant(cursor: "extensions.cursor", role: str) -> None:
    """Allow the role to read the tables that hold no secrets, and nothing else."""
    from psycopg2 import sql

    name = sql.Identifier(role)
    cursor.execute(TABLES, [role])
    for table, is_granted in cursor.fetchall():
        if table in READABLE and not is_granted:
            target = sql.Identifier(table)
            cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(target, name))
    schema = sql.Identifier(str(_value(cursor, "SELECT current_schema()")))
    cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name))


def _value(cursor: "extensions.cursor", query: str) -> object:
    """Return the only value of a query's only row."""
    cursor.execute(query)
    ((value,),) = cursor.fetchall()
    return value


def _query(request: Request, login: str) -> bool:
    """Run the query in a session of the reader."""
    with _connect(login) as reader:
        reader.set_session(readonly=True)
        with reader.cursor() as cursor:
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


def _sentence(error: "Error") -> str:
    """Return PostgreSQL's sentence, and where it stands in the query."""
    text = str(error.diag.message_primary or error).strip().splitlines()[0]
    position = error.diag.internal_position
    return f"{text} (at character {position})" if position else text
