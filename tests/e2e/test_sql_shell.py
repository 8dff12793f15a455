"""`sql --shell` opens psql, or a shell of SQLite, in which runs can be read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .running import RunningStack
from .small import kept
from .tool import SCRIPT, Output, environment, run
from .waiting import wait_until

if sys.platform != "win32":
    import pexpect

# Seconds.
PATIENCE = 60
STATEMENTS = """
SELECT 40
  + 2 AS answer;
DELETE FROM runs;
SELECT count(*) FROM webhooks;
SELECT name FROM experiments WHERE experiment_id = 0;
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'mlflow_reader_%'"
SLEEPING = f"{SESSIONS} AND state = 'active' AND query LIKE '%pg_sleep%'"


def piped(stack: RunningStack, statements: str) -> Output:
    """Run statements from standard input, which is no terminal."""
    return run(str(SCRIPT), "sql", "--shell", folder=stack.folder, given=statements)


@contextmanager
def typed(stack: RunningStack, prompt: str) -> Iterator["pexpect.spawn[str]"]:
    """Open a shell on a terminal; it must end when its input ends."""
    shell = pexpect.spawn(
        str(SCRIPT),
        ["sql", "--shell"],
        cwd=str(stack.folder),
        env={**environment(), "TERM": "xterm"},
        encoding="utf-8",
        timeout=PATIENCE,
    )
    try:
        shell.expect(prompt)
        yield shell
        # Linux drops a Ctrl-D that comes before readline has changed the terminal's mode.
        shell.expect(prompt)
        shell.sendeof()
        shell.expect(pexpect.EOF)
        shell.wait()
    finally:
        shell.close(force=True)
    assert shell.exitstatus == 0, shell.before


class TestInPostgres:
    def test_psql_must_read_and_not_write(self, shared: RunningStack) -> None:
        shared.log_run()
        before = shared.rows()
        shown = piped(shared, STATEMENTS)
        shown.shows("42", "permission denied for table webhooks", "Default")
        assert "read-only transaction" in shown.err
        # Without the setting of the session, too.
        piped(shared, f"SET default_transaction_read_only = off;\n{STATEMENTS}").shows(
            "permission denied for table runs"
        )
        assert shared.rows() == before

    def test_psql_must_work_on_a_terminal(self, shared: RunningStack) -> None:
        """Ctrl-C interrupts a statement, but not the shell."""
        with typed(shared, "mlflow=> ") as shell:
            shell.sendline("SELECT pg_sleep(600);")
            wait_until(lambda: shared.sql(SLEEPING) == ["1"], seconds=20, what="it sleeps")
            shell.sendintr()
            shell.expect("canceling statement")
            shell.sendline("SELECT 40 + 2 AS answer;")
            shell.expect(r"\n *42\r")

    def test_nothing_must_be_left_of_it(self, shared: RunningStack) -> None:
        piped(shared, "SELECT 1;")
        assert shared.sql(SESSIONS) == ["0"]


class TestInSQLite:
    def test_it_must_read_and_not_write(self, smallest: RunningStack) -> None:
        before = kept(smallest)
        shown = piped(smallest, f"{STATEMENTS}.tables\n.schema runs\n.other\n")
        shown.shows("42", "not authorized", "Default", "latest_metrics", 'CREATE TABLE "runs"')
        assert "the commands are" in shown.err
        assert kept(smallest) == before

    def test_it_must_work_on_a_terminal(self, smallest: RunningStack) -> None:
        with typed(smallest, "sqlite> ") as shell:
            shell.sendline("SELECT 40 +")
            shell.expect(r"\.\.\.> ")
            shell.sendline("2 AS answer;")
            shell.expect(r"\n *42\r")


@pytest.mark.parametrize("other", ["runs-per-experiment", "--json"])
def test_it_must_refuse_a_query(shared: RunningStack, other: str) -> None:
    shared.tool("sql", "--shell", other, code=2)
