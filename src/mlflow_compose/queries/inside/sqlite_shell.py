"""A shell for a SQLite file: the image has no `sqlite3` program."""

import sqlite3
import sys
from code import InteractiveConsole
from collections.abc import Iterable
from contextlib import closing, suppress

from mlflow_compose.engines.inside.answer import Request
from mlflow_compose.queries.inside import sqlite
from mlflow_compose.queries.inside.table import table
from mlflow_compose.queries.inside.tables import READABLE

BANNER = "SQLite {}, read-only. Statements end with a semicolon; .tables, .schema TABLE, .quit"
SCHEMA = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
# Rows of one result that are shown.
MOST = 1000


def main(request: Request) -> None:
    """Read statements from standard input until it ends.

    Args:
        request: `backend` (URI).
    """
    is_terminal = sys.stdin.isatty()
    with suppress(ImportError):
        # Edits lines, on a terminal.
        import readline  # noqa: F401
    sys.ps1, sys.ps2 = ("sqlite> ", "   ...> ") if is_terminal else ("", "")
    banner = BANNER.format(sqlite3.sqlite_version) if is_terminal else ""
    with closing(sqlite.connect(request["backend"])) as connection, suppress(SystemExit):
        Shell(connection).interact(banner, exitmsg="")


class Shell(InteractiveConsole):
    """Runs statements, which may have several lines, and prints their rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def runsource(self, source: str, filename: str = "", symbol: str = "") -> bool:
        """Run what was entered; return whether the statement continues on the next line."""
        del filename, symbol
        entered = source.strip()
        if entered.startswith("."):
            self._command(*entered.split())
        elif entered and not sqlite3.complete_statement(source):
            return True
        elif entered:
            self._run(source)
        return False

    def _command(self, name: str, *arguments: str) -> None:
        match name, arguments:
            case ".quit" | ".exit", ():
                raise SystemExit
            case ".tables", ():
                self._print(sorted(READABLE))
            case ".schema", (table,):
                found = self._connection.execute(SCHEMA, [table])
                self._print(f"{text};" for (text,) in found)
            case _:
                self.write("error: the commands are .tables, .schema TABLE and .quit\n")

    def _run(self, statement: str) -> None:
        try:
            cursor = self._connection.execute(statement)
            rows = cursor.fetchmany(MOST + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            self.write(f"error: {error}\n")
            return
        columns = [name for name, *_ in cursor.description or ()]
        self._print(table(columns, rows[:MOST]))
        if len(rows) > MOST:
            self.write(f"only the first {MOST} rows\n")

    @staticmethod
    def _print(lines: Iterable[str]) -> None:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
