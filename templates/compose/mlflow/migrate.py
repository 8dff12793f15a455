"""Creates MLflow's tables, or migrates them to this version: one process at a time.

    python migrate.py URI          create or migrate the tables of the backend store
    python migrate.py --wait URI   wait until another process has done so

With MLFLOW_AUTH_CONFIG_PATH, the tables of logins too. Servers create missing tables themselves when
they start, under the same lock; they never migrate existing ones, because that changes data: take a
snapshot first.
"""

import argparse
import configparser
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import check_login
import psycopg2
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as Connection
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

# A key of PostgreSQL's advisory locks: "mlflow" in ASCII.
LOCK = 0x6D6C666C6F77
# Otherwise, the lock of a process whose machine is gone would be held for two hours.
KEEP_ALIVE = """
SET LOCAL tcp_keepalives_idle = 30; SET LOCAL tcp_keepalives_interval = 10;
SET LOCAL tcp_keepalives_count = 3
"""
# Administrators set them for roles or databases; the lock has to outlast the migrations.
NO_TIMEOUTS = """
SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout',
'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
# What MLflow's migrations create, by kind of database; a test compares them.
SCHEMAS = Path(__file__).with_name("schema")
# Seconds.
LOOK_EVERY, REPORT_AFTER = 1.0, 20.0


@dataclass(frozen=True)
class Tables:
    """A set of tables with migrations of its own.

    Attributes:
        about: What they hold.
        uri: Their database.
        versions: Table with their current revision.
        migrations: Folder of the migrations in MLflow's package.
        migrate: Creates or migrates them.
    """

    about: str
    uri: str
    versions: str
    migrations: str
    migrate: Callable[[Engine], None]

    def revision(self, engine: Engine) -> str | None:
        """Return their current revision, None without one."""
        if self.versions not in inspect(engine).get_table_names():
            return None
        with engine.connect() as reading:
            found = reading.execute(text(f"SELECT version_num FROM {self.versions}")).scalars()  # noqa: S608 - one of two names
            return next(iter(found), None)

    def are_current(self, engine: Engine) -> bool:
        """Tell whether they are at this version of MLflow.

        Raises:
            SystemExit: They are at a later one.
        """
        scripts, found = self.scripts(), self.revision(engine)
        known = {script.revision for script in scripts.walk_revisions()}
        if found is not None and found not in known:
            raise SystemExit(
                f"the tables of {self.about} are at revision {found}, which MLflow "
                f"{version('mlflow')} does not know: a newer version migrated them"
            )
        return bool(found == scripts.get_current_head())

    def scripts(self) -> ScriptDirectory:
        """Return their migrations."""
        package = find_spec("mlflow")
        if package is None or package.origin is None:
            raise SystemExit("mlflow is not installed")
        return ScriptDirectory(str(Path(package.origin).parent / self.migrations))


def lock() -> Connection:
    """Wait until no other process creates or migrates tables in the server's database.

    Closing the connection lets the next one continue. The lock is that of a transaction, because a
    connection pooler may serve each transaction with another connection.
    """
    start, reported = time.monotonic(), False
    while (holding := try_to_lock()) is None:
        if time.monotonic() - start > REPORT_AFTER and not reported:
            reported = True
            print("waiting for another server that creates tables", file=sys.stderr, flush=True)  # noqa: T201
        time.sleep(LOOK_EVERY)
    return holding


def try_to_lock() -> Connection | None:
    """Return a connection that holds the lock, None if another process has it.

    One that waited would occupy a connection of a pooler, which the other process may need.
    """
    holding = psycopg2.connect("service=mlflow connect_timeout=5")
    with holding.cursor() as cursor:
        cursor.execute(NO_TIMEOUTS)
        cursor.execute(KEEP_ALIVE)
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
        if cursor.fetchone() == (True,):
            return holding
    holding.close()
    return None


def release(holding: Connection) -> None:
    """Let the next process continue.

    Raises:
        SystemExit: The lock was lost earlier, so another process may have created tables, too.
    """
    with closing(holding):
        try:
            with holding.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error as error:
            raise SystemExit(f"the lock for creating tables was lost: {error}") from None


def create_tables(engine: Engine) -> bool:
    """Create all tables of an empty database, or nothing; return whether it did.

    Kinds of databases and versions of MLflow without a prepared schema are left to the migrations.
    """
    file = SCHEMAS / f"{engine.name}.sql"
    script = file.read_text(encoding="utf-8") if file.exists() else ""
    prepared = script.partition("\n")[0] == f"-- MLflow {version('mlflow')}"
    if not prepared or inspect(engine).get_table_names():
        return False
    # If it fails, the migrations are tried, and MLflow reports why they fail too.
    with suppress(SQLAlchemyError, engine.dialect.dbapi.Error):
        with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            # SQLite's other method executes only one statement.
            getattr(cursor, "executescript", cursor.execute)(script)
            connection.commit()
        return True
    return False


def migrate_runs(engine: Engine) -> None:
    """Create or migrate the tables of runs and models, as `mlflow db upgrade` does."""
    import mlflow.store.db.utils

    if create_tables(engine):
        return
    if mlflow.store.db.utils._is_empty_database(engine):  # noqa: SLF001 - what the command calls
        mlflow.store.db.utils._initialize_tables(engine)  # noqa: SLF001
    else:
        mlflow.store.db.utils._upgrade_db(engine)  # noqa: SLF001


def migrate_logins(engine: Engine) -> None:
    """Create or migrate the tables of logins, as `python -m mlflow.server.auth db upgrade` does."""
    import mlflow.server.auth.db.utils

    mlflow.server.auth.db.utils.migrate(engine, "head")


def all_tables(uri: str) -> Iterator[Tables]:
    """Yield the sets of tables that a server needs.

    Args:
        uri: URI of the backend store.
    """
    yield Tables(
        "runs and models", uri, "alembic_version", "store/db_migrations", migrate_runs
    )
    if file := os.environ.get("MLFLOW_AUTH_CONFIG_PATH"):
        config = configparser.ConfigParser()
        with Path(file).open(encoding="utf-8") as lines:
            config.read_file(lines)
        yield Tables(
            "logins",
            config["mlflow"]["database_uri"],
            "alembic_version_auth",
            "server/auth/db/migrations",
            migrate_logins,
        )


def migrate(tables: Tables) -> None:
    """Bring tables to this version of MLflow."""
    engine = create_engine(tables.uri)
    if not tables.are_current(engine):
        tables.migrate(engine)
    engine.dispose()
    print(f"the tables of {tables.about} are at MLflow {version('mlflow')}", flush=True)  # noqa: T201


def wait(tables: Tables) -> None:
    """Wait until tables are at this version of MLflow."""
    engine, start, reported = create_engine(tables.uri), time.monotonic(), False
    while True:
        # The database may restart meanwhile.
        with suppress(OperationalError):
            if tables.are_current(engine):
                break
        if time.monotonic() - start > REPORT_AFTER and not reported:
            reported = True
            print(f"waiting for the tables of {tables.about}", file=sys.stderr, flush=True)  # noqa: T201
        time.sleep(LOOK_EVERY)
    engine.dispose()


def main(arguments: Sequence[str]) -> int:
    """Create, migrate or wait."""
    parser = argparse.ArgumentParser(description="Create or migrate MLflow's tables.")
    parser.add_argument("uri", help="URI of the backend store")
    parser.add_argument("--wait", action="store_true", help="wait until another process has done so")
    options = parser.parse_args(arguments)
    if code := check_login.main():
        return code
    if options.wait:
        for tables in all_tables(options.uri):
            wait(tables)
        return 0
    # However this process ends, so does the lock.
    holding = lock()
    for tables in all_tables(options.uri):
        migrate(tables)
    release(holding)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
