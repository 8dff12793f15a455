"""Count the rows of a dump, from the text that pg_restore makes of it."""

import re
from collections import Counter

# COPY schema.table (columns) FROM stdin; names are quoted if they have to be.
COPY = re.compile(rb'COPY (?:(?:"[^"]+"|[^" .]+)\.)?("[^"]+"|[^" .]+) \(.*\) FROM stdin;')
END = rb"\."
SCHEMA_PREFIX = "alembic_version"


class RowCounter:
    """Counts rows by table, and keeps the revisions of the schema.

    Attributes:
        rows: Number of rows by table.
        schema: Alembic's revision, by the table that has it.
    """

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.schema: dict[str, str] = {}
        self._table = ""
        self._rest = b""

    def read(self, chunk: bytes) -> None:
        """Read a part of the text."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if not self._table:
                self._begin(line)
            elif line == END:
                self._table = ""
            else:
                self._count(line)

    def _begin(self, line: bytes) -> None:
        if found := COPY.fullmatch(line):
            self._table = found[1].decode().strip('"')
            self.rows[self._table] += 0

    def _count(self, line: bytes) -> None:
        self.rows[self._table] += 1
        if self._table.startswith(SCHEMA_PREFIX):
            self.schema[self._table] = line.decode()
