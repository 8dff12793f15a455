"""`sql` answers questions about runs, and can change nothing."""

import csv
import json
from dataclasses import dataclass
from types import ModuleType

import pytest

from mlflow_compose.engines import run_modules
from mlflow_compose.queries.read import MODULES

from . import attempts, notified
from .inside import engine_of
from .running import RunningStack
from .small import kept
from .tool import Output

VALUES = ("0.5", "0.25", "NaN")
# What must not write, on either database.
EVERYWHERE = [
    "INSERT INTO params (key, value, run_uuid) VALUES ('a', 'b', 'c')",
    "UPDATE runs SET name = 'changed'",
    "DELETE FROM runs",
    "DROP TABLE tags",
    "CREATE TABLE stolen (id int)",
    "CREATE TEMP TABLE stolen (id int)",
    "ALTER TABLE runs ADD COLUMN stolen int",
    "CREATE INDEX stolen ON runs (name)",
    "CREATE VIEW stolen AS SELECT * FROM runs",
    "SELECT 1; DELETE FROM runs",
    "SELECT 1; COMMIT; BEGIN; DELETE FROM runs; COMMIT",
    "SELECT count(*) FROM webhooks",
    "SELECT count(*) FROM secrets",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "EXPLAIN ANALYZE DELETE FROM runs",
]
POSTGRES = [
    "WITH gone AS (DELETE FROM runs RETURNING *) SELECT * FROM gone",
    "SELECT * INTO stolen FROM runs",
    "TRUNCATE runs CASCADE",
    "COPY runs TO PROGRAM 'cat > /tmp/stolen'",
    "COPY runs TO '/tmp/stolen'",
    "COPY runs FROM '/tmp/stolen'",
    "SET transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "RESET ROLE",
    "SET ROLE mlflow",
    "SET SESSION AUTHORIZATION mlflow",
    "RESET SESSION AUTHORIZATION",
    "DO $$ BEGIN DELETE FROM runs; END $$",
    "CALL pg_catalog.stolen()",
    "SELECT lo_create(4711)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
    "SELECT setval('experiments_experiment_id_seq', 9999)",
    "SELECT nextval('experiments_experiment_id_seq')",
    "GRANT ALL ON runs TO PUBLIC",
    "ALTER ROLE current_user SUPERUSER",
    "SELECT rolpassword FROM pg_authid",
    "LOCK TABLE runs",
    "SELECT * FROM runs FOR UPDATE",
    "SELECT query_to_xml('DELETE FROM runs', true, true, '')",
    "FETCH 1 FROM found; DELETE FROM runs",
    "CREATE FUNCTION stolen() RETURNS int LANGUAGE sql AS 'SELECT 1'",
]
SQLITE = [
    "ATTACH '/tmp/stolen.db' AS stolen",
    "PRAGMA writable_schema = on",
    "PRAGMA journal_mode = delete",
    "SELECT load_extension('stolen')",
    "REPLACE INTO tags (key, value, run_uuid) VALUES ('a', 'b', 'c')",
    "REINDEX",
    "ANALYZE",
    "SAVEPOINT stolen",
    "WITH some AS (SELECT 1) DELETE FROM runs",
]
NUMBERS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i FROM n"
)
# Every kind of value, on PostgreSQL, and what is printed.
KINDS = {
    "'Infinity'::numeric": "Infinity",
    "10::numeric ^ 40": "1" + "0" * 40 + ".0000000000000000",
    "1::numeric": 1,
    "0.5::numeric": 0.5,
    "'NaN'::float8": "nan",
    "'0044-03-15 BC'::date": "0044-03-15 BC",
    "'infinity'::timestamp": "infinity",
    "'99999999 years'::interval": "99999999 years",
    "'{\"a\": true}'::jsonb": '{"a": true}',
    "ARRAY[NULL, 1]": "[null, 1]",
    "'\\x00ff'::bytea": "\\x00ff",
    "true": True,
}
# A digest of every column, privilege and role: what the statements would change.
STATE = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
  SELECT format('%s %s %s', c.oid, a.attname, c.relacl) AS line
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('%s %s %s', rolname, rolsuper, rolcreaterole) FROM pg_roles
  UNION ALL SELECT format('object %s', oid) FROM pg_largeobject_metadata
  UNION ALL SELECT format('sequence %s %s', sequencename, last_value) FROM pg_sequences
  UNION ALL SELECT format('function %s', oid) FROM pg_proc
) found
"""


@dataclass(frozen=True)
class Known:
    """A run whose rows are known, alone in its experiment."""

    stack: RunningStack
    experiment: str
    run_id: str

    def ask(self, *arguments: str, code: int = 0) -> Output:
        """Run `sql`."""
        return self.stack.tool("sql", *arguments, code=code)

    def rows(self, *arguments: str) -> list[list[object]]:
        """Return the rows of a query."""
        found: list[list[object]] = self.ask(*arguments, "--json").data["rows"]
        return found

    def inside(self, module: ModuleType, **more: object) -> list[str]:
        """Call a module of the tests where queries run."""
        engine = engine_of(self.stack)
        request = {
            "backend": engine.stack.stores.backend_uri,
            "reader": engine.stack.reader,
            "arguments": [],
            "limit": 0,
            **more,
        }
        return run_modules(engine, [*MODULES, module], request, list[str])


def known(stack: RunningStack) -> Known:
    """Log a run."""
    name = f"sql {stack.name}"
    experiment = stack.api.post("experiments/create", name=name)["experiment_id"]
    info = stack.api.post(
        "runs/create", experiment_id=experiment, run_name="known", start_time=1_000
    )["run"]["info"]
    for step, value in enumerate(VALUES):
        log = {"key": "loss", "value": value, "timestamp": 1_500, "step": step}
        stack.api.post("runs/log-metric", run_id=info["run_id"], **log)
    stack.api.post(
        "runs/log-metric", run_id=info["run_id"], key="best", value=0.75, timestamp=1, step=0
    )
    stack.api.post("runs/log-parameter", run_id=info["run_id"], key="rate", value='0.1, "x"')
    stack.api.post("runs/set-tag", run_id=info["run_id"], key="kind", value="a\nb")
    stack.api.post("runs/update", run_id=info["run_id"], status="FINISHED", end_time=61_000)
    model = f"model-{stack.name}"
    stack.api.post("registered-models/create", name=model)
    source = {"source": info["artifact_uri"], "run_id": info["run_id"]}
    stack.api.post("model-versions/create", name=model, **source)
    stack.api.post("registered-models/alias", name=model, alias="champion", version="1")
    return Known(stack, name, info["run_id"])


def state(stack: RunningStack) -> object:
    """Return everything that a statement could change."""
    if "BACKEND_STORE" in stack.settings:
        return kept(stack)
    return stack.rows(), stack.sql(STATE)


class Queries:
    """What must hold for each kind of database."""

    def test_named_queries_must_answer_their_questions(self, run: Known) -> None:
        one = [run.experiment, "known", run.run_id]
        mine = [row for row in run.rows("runs-per-experiment") if row[1] == run.experiment]
        assert [row[2:] for row in mine] == [[1, 0, "1970-01-01 00:00:01"]]
        assert run.rows("latest-metrics", run.experiment)[0] == [
            run.experiment,
            "known",
            "best",
            0.75,
            0,
        ]
        history = run.rows("metric-history", run.run_id, "loss")
        assert [row[:3] for row in history] == [
            ["loss", 0, 0.5],
            ["loss", 1, 0.25],
            ["loss", 2, None],
        ]
        assert {row[3] for row in history} == {"1970-01-01 00:00:01"}
        assert [*one, 0.75] in run.rows("best-runs", "best")
        assert run.rows("params-of", run.run_id) == [["rate", '0.1, "x"']]
        assert ["kind", "a\nb"] in run.rows("tags", run.run_id)
        assert [*one, "FINISHED", 60] in run.rows("slowest")
        models = [row for row in run.rows("models") if row[3] == run.run_id]
        assert [row[:3] for row in models] == [[f"model-{run.stack.name}", 1, "champion"]]
        sizes = {row[0]: row[1:] for row in run.rows("storage")}
        assert sizes[run.experiment][:3] == [1, 4, 1]

    def test_rows_must_be_the_same_in_every_format(self, run: Known) -> None:
        question = ("tags", run.run_id)
        expected = [{"key": key, "value": value} for key, value in run.rows(*question)]
        assert json.loads(run.ask(*question, "--format=json").out) == expected
        printed = run.ask(*question, "--format=csv").out
        assert [*csv.DictReader(printed.splitlines(keepends=True))] == expected
        lines = run.ask(*question).out.splitlines()
        assert lines[0].split() == ["key", "value"]
        assert any(line.split() == ["kind", "a", "b"] for line in lines)

    def test_a_limit_must_say_that_there_is_more(self, run: Known) -> None:
        data = run.ask(NUMBERS, "--json").data
        assert (len(data["rows"]), data["more"]) == (1000, True)
        data = run.ask(NUMBERS, "--limit=0", "--json").data
        assert (len(data["rows"]), data["more"]) == (1200, False)
        assert run.ask(NUMBERS, "--format=csv").out.splitlines() == ["i", *map(str, range(1, 1201))]

    def test_nothing_must_be_able_to_write(self, run: Known) -> None:
        """Nor to read what holds secrets."""
        is_sqlite = "BACKEND_STORE" in run.stack.settings
        run.ask("SELECT 1")
        before = state(run.stack)
        statements = [*EVERYWHERE, *(SQLITE if is_sqlite else POSTGRES)]
        # In one process: starting one for each takes a second.
        assert run.inside(attempts, statements=statements) == []
        assert state(run.stack) == before

    def test_a_refused_query_must_say_why_and_where(self, run: Known) -> None:
        error = run.ask("SELECT nothing FROM runs", "--json", code=1).envelope["errors"][0]
        assert "nothing" in error["message"]
        assert error["code"] == "query"
        run.ask("runs-per-experimen", code=2)
        run.ask("params-of", code=2)


def test_every_kind_of_value_must_be_printed(in_postgres: Known) -> None:
    (row,) = in_postgres.rows(f"SELECT {', '.join(KINDS)}")
    printed = [text for text in row if not isinstance(text, str) or not text.startswith("10000")]
    expected = [text for text in KINDS.values() if not str(text).startswith("10000")]
    assert printed == expected


def test_nothing_must_be_committed(in_postgres: Known) -> None:
    """A notification is allowed in a read-only transaction, and sent when it is committed."""
    query = "SELECT pg_notify('mlflow_compose_test', 'written')"
    assert in_postgres.inside(notified, query=query) == ["end"]


@pytest.mark.parametrize("statement", ["DELETE FROM runs", "SELECT 1; SELECT 2"])
def test_a_statement_that_does_not_only_read_must_be_named(
    in_postgres: Known, statement: str
) -> None:
    error = in_postgres.ask(statement, "--json", code=1).envelope["errors"][0]
    assert error["message"] == "only one statement that reads can be run, such as a SELECT"


def test_a_role_that_may_do_more_must_be_refused(in_postgres: Known) -> None:
    """For example because another program was given more rights with it."""
    stack = in_postgres.stack
    in_postgres.ask("SELECT 1")
    (role,) = stack.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'mlflow_reader_%'")
    for right in ("SELECT ON secrets", "INSERT ON runs", "pg_write_all_data"):
        stack.sql(f"GRANT {right} TO {role}")
        error = in_postgres.ask("SELECT 1", "--json", code=1).envelope["errors"][0]
        assert role in error["message"]
        stack.sql(f"REVOKE {right} FROM {role}")
    in_postgres.ask("SELECT 1")


@pytest.fixture(scope="module")
def in_postgres(shared: RunningStack) -> Known:
    """Return a known run in PostgreSQL."""
    return known(shared)


@pytest.fixture(scope="module")
def in_sqlite(smallest: RunningStack) -> Known:
    """Return a known run in SQLite."""
    return known(smallest)


class TestInPostgres(Queries):
    @pytest.fixture
    def run(self, in_postgres: Known) -> Known:
        return in_postgres


class TestInSQLite(Queries):
    @pytest.fixture
    def run(self, in_sqlite: Known) -> Known:
        return in_sqlite
