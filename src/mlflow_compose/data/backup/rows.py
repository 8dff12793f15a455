"""Count the rows of a dump, from the text that pg_restore makes of it."""

import re
from collections import Counter

# COPY schema.table (columns) FROM stdin; names are quoted if they have to be, and a quote in one
# is doubled.
NAME = rb'(?:"(?:[^"]|"")+"|[^" .]+)'
COPY = re.compile(rb"COPY (?:%(name)s\.)?(%(name)s) \(.*\) FROM stdin;" % {b"name": NAME})
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
            name = found[1].decode()
            self._table = name[1:-1].replace('""', '"') if name.startswith('"') else name
            self.rows[self._table] += 0

    def _count(self, line: bytes) -> None:
        self.rows[self._table] += 1
        if self._table.startswith(SCHEMA_PREFIX):
            self.schema[self._table] = line.decode()
