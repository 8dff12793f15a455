"""The tables of a new stack are those that MLflow's migrations create."""

import inspect
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mlflow_compose.engines.inside import schema as inside
from mlflow_compose.paths import templates
from mlflow_compose.settings import Settings

from .running import RunningStack, local_only

HEADER = f"-- MLflow {Settings.model_fields['mlflow_version'].default}\n"
# Runs all migrations on an empty database.
MIGRATE = """
import sys
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy import create_engine

_initialize_tables(create_engine(sys.argv[1]))
"""
# Does so in SQLite; prints the statements that recreate that database.
MIGRATE_SQLITE = """
import json, sqlite3, tempfile
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy import create_engine

with tempfile.NamedTemporaryFile() as file:
    _initialize_tables(create_engine(f"sqlite:///{file.name}"))
    print("SHOWN", json.dumps([*sqlite3.connect(file.name).iterdump()]), sep="\\n")
"""
# Prints the statements that recreate a stack's database.
DUMP_SQLITE = """
import json, sqlite3, sys

print(json.dumps([*sqlite3.connect(sys.argv[1]).iterdump()]))
"""
# Prepares an empty database, the stack's own, the first one again, and one of an older MLflow.
PREPARE = """
import json, sqlite3, sys, tempfile
from sqlalchemy import create_engine

with tempfile.NamedTemporaryFile() as file:
    empty, own = (create_engine(f"sqlite:///{name}") for name in (file.name, sys.argv[1]))
    found = [*map(has_current_tables, (empty, own, empty))]
    with sqlite3.connect(file.name) as database:
        created = [*database.iterdump()]
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    print(json.dumps([[*found, has_current_tables(empty)], created]))
"""
# What MLflow logs when it does so.
MIGRATED = "Creating initial MLflow database tables"
SAME = "both engines have the same MLflow, whose server creates the tables from the same files"
DATABASES = {"docker": "/data/mlflow.db", "local": "data/mlflow_data/mlflow.db"}
# What pg_dump writes besides statements about MLflow's objects.
NOISE = re.compile(r"--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict ")
# How it writes `column IN (...)`, from which PostgreSQL would make something else.
IN = re.compile(r"\((\w+)\)::text = ANY \(\(ARRAY\[(.*?)\]\)::text\[\]\)")


def schema(kind: str) -> Path:
    """Return the file that a stack's tables are created from."""
    return templates() / "compose" / "mlflow" / "schema" / f"{kind}.sql"


@pytest.fixture
def migrated(shared: RunningStack) -> Iterator[str]:
    """Return the name of a second database, which is dropped afterwards."""
    shared.sql("CREATE DATABASE migrated")
    yield "migrated"
    shared.sql("DROP DATABASE migrated WITH (FORCE)")


def dump_of(stack: RunningStack, database: str, *options: str) -> str:
    """Return the statements that recreate a database of PostgreSQL."""
    login = ("-U", "mlflow", "-d", database, "--no-owner", "--no-privileges")
    dump = stack.execute("postgres", "pg_dump", *login, *options)
    # In the schema that comes first on the user's search path.
    lines = (line.replace("public.", "") for line in dump.splitlines())
    kept = "".join(f"{line}\n" for line in lines if line and not NOISE.match(line))
    # As MLflow does: a function outlives the tables that a user dropped.
    kept = kept.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    return IN.sub(lambda found: f"{found[1]} IN ({found[2]})", kept)


@local_only(SAME)
def test_the_file_for_postgresql_must_create_the_tables_of_the_migrations(
    shared: RunningStack, migrated: str, *, update_golden: bool
) -> None:
    uri = f"postgresql+psycopg2:///{migrated}?service=mlflow"
    shared.execute("mlflow", "python", "-c", MIGRATE, uri)
    expected = HEADER + dump_of(shared, migrated, "--inserts")
    if update_golden:
        schema("postgresql").write_text(expected, encoding="utf-8", newline="\n")
    assert schema("postgresql").read_text(encoding="utf-8") == expected


def test_a_stack_on_postgresql_must_have_the_tables_of_the_file(
    shared: RunningStack, migrated: str
) -> None:
    shared.sql(f"\\c {migrated}\n{schema('postgresql').read_text(encoding='utf-8')}")
    ours, theirs = (dump_of(shared, name, "--schema-only") for name in ("mlflow", migrated))
    assert ours == theirs
    assert MIGRATED not in shared.tool("logs", "mlflow").out


def in_any_order(script: Iterable[str]) -> list[list[str]]:
    """Return statements and their parts sorted: SQLAlchemy's order differs from run to run."""
    return sorted(sorted(re.split(r",?\s*\n\s*", statement)) for statement in script)


def created(script: Iterable[str]) -> list[list[str]]:
    """Return only the statements that create something."""
    return in_any_order(statement for statement in script if statement.startswith("CREATE "))


@local_only(SAME)
def test_the_file_for_sqlite_must_create_the_tables_of_the_migrations(
    smallest: RunningStack, *, update_golden: bool
) -> None:
    output = smallest.execute("mlflow", "python", "-c", MIGRATE_SQLITE)
    migrated = json.loads(output.rpartition("SHOWN\n")[2])
    if update_golden:
        text = HEADER + "".join(f"{statement}\n" for statement in migrated)
        schema("sqlite").write_text(text, encoding="utf-8", newline="\n")
    assert in_any_order(prepared().iterdump()) == in_any_order(migrated)


def prepared() -> sqlite3.Connection:
    """Return a database with the tables of the file for SQLite."""
    database = sqlite3.connect(":memory:")
    database.executescript(schema("sqlite").read_text(encoding="utf-8"))
    return database


def test_a_stack_on_sqlite_must_have_the_tables_of_the_file(smallest: RunningStack) -> None:
    path = DATABASES[smallest.engine]
    used = json.loads(smallest.execute("mlflow", "python", "-c", DUMP_SQLITE, path))
    assert created(used) == created(prepared().iterdump())
    assert MIGRATED not in smallest.tool("logs", "mlflow").out


def test_a_copy_must_use_the_file_for_empty_and_current_databases_only(
    smallest: RunningStack,
) -> None:
    """With the file as it is found where MLflow runs; any other database is MLflow's to migrate."""
    path = DATABASES[smallest.engine]
    code = "\n".join((inspect.getsource(inside), PREPARE))
    found, tables = json.loads(smallest.execute("mlflow", "python", "-c", code, path))
    assert found == [True, True, True, False]
    assert created(tables) == created(prepared().iterdump())
