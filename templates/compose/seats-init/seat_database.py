"""Databases and roles of seats, each a copy of one database with MLflow's tables."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.metadata import version
from typing import Any

import psycopg2
from psycopg2 import errors, extensions, sql

# The database that the others are copied from, and the role that owns its tables; no seat's database
# has such a name, which begins with seat_.
TEMPLATE = "seats_template"
# Databases that every role may connect to, unless that is revoked.
COMMON = ("postgres", "template1")
# Statements that give all tables, sequences and functions of a database to a role. Sequences of
# columns follow their tables.
GIVE_TABLES = """
SELECT format('ALTER %%s public.%%I OWNER TO %%I',
              CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname, %(role)s)
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND deptype IN ('a', 'i')
                  AND relkind = 'S')
UNION ALL
SELECT format('ALTER ROUTINE %%s OWNER TO %%I', oid::regprocedure, %(role)s)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""

Seat = Mapping[str, Any]
Cursor = extensions.cursor


class NotOwnError(Exception):
    """A database has the name of a seat's, but is not the stack's."""


def prepare(stack: str, databases: Sequence[str]) -> None:
    """Close the server's databases to the seats, and prepare the one that theirs are copied from.

    Args:
        stack: Id of the stack, which every database that this module creates carries.
        databases: Names of the seats' databases.
    """
    with connected() as cursor:
        cursor.execute("SELECT current_database()")
        ((own,),) = cursor.fetchall()
        for name in (own, *COMMON):
            revoke(cursor, name)
        mark = f"{mark_of(stack)}, MLflow {version('mlflow')}"
        if {*databases} <= existing(cursor) or comment_of(cursor, TEMPLATE) == mark:
            return
        ensure_role(cursor, TEMPLATE)
        with new_database(cursor, TEMPLATE, "template0") as new:
            create_tables(new)
            with connected(new) as inside:
                inside.execute(GIVE_TABLES, {"role": TEMPLATE})
                for (statement,) in inside.fetchall():
                    inside.execute(statement)
            comment(cursor, new, mark)
            drop(cursor, TEMPLATE, stack)


def exists(seat: Seat, stack: str) -> bool:
    """Tell whether a seat has a database.

    Raises:
        NotOwnError: It is not the stack's.
    """
    with connected() as cursor:
        found = seat["database"] in existing(cursor)
        if found:
            check_own(cursor, seat["database"], stack)
    return found


def create(seat: Seat, stack: str) -> None:
    """Create a seat's role and database, or set the role's password again.

    With another password, its person gets another one, too: MLflow only sets that once.
    """
    name, role = seat["database"], seat["database"]
    with connected() as cursor:
        ensure_role(cursor, role)
        # What the server stores: statements, with the password in them, may be logged.
        stored = extensions.encrypt_password(seat["password"], role, scope=cursor.connection)
        limits = sql.SQL("ALTER ROLE {} LOGIN NOINHERIT CONNECTION LIMIT {} PASSWORD {}")
        cursor.execute(
            limits.format(
                sql.Identifier(role), sql.Literal(seat["connections"]), sql.Literal(stored)
            )
        )
        if name in existing(cursor):
            check_own(cursor, name, stack)
            set_login(cursor, seat)
            return
        with new_database(cursor, name, TEMPLATE) as new:
            run(cursor, "ALTER DATABASE {} OWNER TO {}", new, role)
            with connected(new) as inside:
                run(inside, "REASSIGN OWNED BY {} TO {}", TEMPLATE, role)
            comment(cursor, new, mark_of(stack))
        comment(cursor, role, digest_of(seat), "ROLE")


def set_login(cursor: Cursor, seat: Seat) -> None:
    """Set the password of a seat's person, if CLASS_SECRET has changed since it was last set.

    Otherwise it stays: people may have chosen another one.
    """
    from werkzeug.security import generate_password_hash

    cursor.execute(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
        [seat["database"]],
    )
    if cursor.fetchone() == (digest_of(seat),):
        return
    with connected(seat["database"]) as inside:
        inside.execute("SELECT to_regclass('public.users')")
        # Without the table, the server creates both when it starts.
        if inside.fetchone() != (None,):
            inside.execute(
                "UPDATE public.users SET password_hash = %s WHERE username = %s",
                [generate_password_hash(seat["login"]), seat["name"]],
            )
    comment(cursor, seat["database"], digest_of(seat), "ROLE")


def digest_of(seat: Seat) -> str:
    """Return what tells whether a seat has other passwords than before, and not what they are."""
    # Of 256 random bits, which cannot be guessed; every role can read it.
    return hashlib.sha256(seat["password"].encode()).hexdigest()


def remove(seat: Seat, stack: str) -> None:
    """Delete a seat's database and its role."""
    with connected() as cursor:
        drop(cursor, seat["database"], stack)
        run(cursor, "DROP ROLE IF EXISTS {}", seat["database"])


def create_tables(database: str) -> None:
    """Create MLflow's tables in an empty database.

    Only for the version that was prepared for: others create their tables in each seat.
    """
    import migrate
    import mlflow
    import serve
    from mlflow.server.auth.db import utils as login
    from mlflow.store.db import utils
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if not mlflow.__version__.startswith(serve.SERIES):
        return
    uri = f"postgresql+psycopg2:///{database}?service=mlflow"
    engine = create_engine(uri, poolclass=NullPool)
    if not migrate.create_tables(engine):
        utils._initialize_tables(engine)  # noqa: SLF001 - as MLflow's server does
    login.migrate_if_needed(engine, "head")


@contextmanager
def new_database(cursor: Cursor, name: str, template: str) -> Iterator[str]:
    """Create a database that gets its name once the block has completed it."""
    new = f"{name}.new"
    # What an interrupted creation left behind.
    run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", new)
    run(cursor, "CREATE DATABASE {} TEMPLATE {}", new, template)
    revoke(cursor, new)
    yield new
    run(cursor, "ALTER DATABASE {} RENAME TO {}", new, name)


def drop(cursor: Cursor, name: str, stack: str) -> None:
    """Delete a database of the stack, if it exists."""
    if name in existing(cursor):
        check_own(cursor, name, stack)
        run(cursor, "DROP DATABASE {} WITH (FORCE)", name)


def check_own(cursor: Cursor, name: str, stack: str) -> None:
    """Make sure that a database is the stack's.

    Raises:
        NotOwnError: This module did not create it.
    """
    if not (comment_of(cursor, name) or "").startswith(mark_of(stack)):
        raise NotOwnError(f"the database {name} exists, but the stack did not create it")


def ensure_role(cursor: Cursor, role: str) -> None:
    """Create a role without rights, if it does not exist."""
    # Another session may create it at the same time.
    with suppress(errors.DuplicateObject):
        run(cursor, "CREATE ROLE {} NOLOGIN", role)


def revoke(cursor: Cursor, database: str) -> None:
    """Let only the owner and superusers connect to a database, and the reader of runs."""
    run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)


def existing(cursor: Cursor) -> set[str]:
    """Return the names of all databases."""
    cursor.execute("SELECT datname FROM pg_database")
    return {name for (name,) in cursor.fetchall()}


def comment_of(cursor: Cursor, database: str) -> str | None:
    """Return the comment of a database, None if it has none."""
    cursor.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
        [database],
    )
    found = cursor.fetchall()
    return found[0][0] if found else None


def comment(cursor: Cursor, name: str, text: str, kind: str = "DATABASE") -> None:
    """Set the comment of a database, or of a role."""
    statement = sql.SQL("COMMENT ON {} {} IS {}")
    cursor.execute(statement.format(sql.SQL(kind), sql.Identifier(name), sql.Literal(text)))


def mark_of(stack: str) -> str:
    """Return the comment of a database of a stack, or its beginning."""
    return f"mlflow-compose stack {stack}"


def run(cursor: Cursor, statement: str, *names: str) -> None:
    """Run a statement with names in it."""
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def connected(database: str = "") -> Iterator[Cursor]:
    """Provide a cursor as PG_USER; each statement is a transaction of its own."""
    named = f" dbname={database}" if database else ""
    with closing(psycopg2.connect(f"service=mlflow connect_timeout=30{named}")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
