"""The PostgreSQL role that can only read."""

from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow_compose.engines.inside.answer import Failure
from mlflow_compose.queries.inside.tables import READABLE

if TYPE_CHECKING:
    from psycopg2 import extensions

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
# Milliseconds.
LONGEST = 30_000


def connect(login: str = "") -> "extensions.connection":
    """Log in as PG_USER, unless a connection string names another role."""
    import psycopg2

    return psycopg2.connect(f"service=mlflow application_name=mlflow-compose {login}")


def log_in(
    owner: "extensions.connection", role: str, secret: str
) -> tuple["extensions.connection", str]:
    """Log in as the role that can only read; return the session, and the schema of the tables.

    Args:
        owner: Session of PG_USER, in which the role is created if it cannot be logged in to.
        role: Name of the role.
        secret: Its password.

    Raises:
        Failure: The role cannot be created, or may do more than read.
    """
    import psycopg2

    login = f"user={role} password={secret}"
    with owner.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {LONGEST:d}")
        reader = None
        with suppress(psycopg2.OperationalError):
            reader = connect(login)
        if reader is None:
            _create(cursor, role, secret)
        _grant(cursor, role)
        cursor.execute("SELECT quote_ident(current_schema())")
        ((schema,),) = cursor.fetchall()
    owner.commit()
    return reader or _refusable(login, role), str(schema)


def _refusable(login: str, role: str) -> "extensions.connection":
    """Log in as the role, which exists by now.

    Raises:
        Failure: The server does not let it in.
    """
    import psycopg2

    try:
        return connect(login)
    except psycopg2.OperationalError as error:
        raise Failure(
            str(error).strip().splitlines()[0],
            hint=f"allow {role} to connect from the addresses that PG_USER connects from "
            "(pg_hba.conf of the database server)",
        ) from None


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
    cursor.execute(
        "SELECT current_database(), has_database_privilege(%s, current_database(), 'CONNECT')",
        [role],
    )
    ((database, may_connect),) = cursor.fetchall()
    if not may_connect:
        # Every role may, until seats-init revokes that.
        connect_to = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
        cursor.execute(connect_to.format(sql.Identifier(database), name))
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
