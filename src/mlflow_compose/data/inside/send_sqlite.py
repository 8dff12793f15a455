"""Send a consistent copy of a SQLite file to standard output."""

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from mlflow_compose.engines.inside.answer import Request

PREFIX = "sqlite:///"


def main(request: Request) -> None:
    """Copy the file while MLflow uses it, and send the copy.

    Args:
        request: `backend` (URI).
    """
    file = Path(request["backend"].removeprefix(PREFIX)).absolute()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.db")
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            # All at once: with several steps, each write in between starts it again.
            source.backup(target)
        with copy.open("rb") as found:
            shutil.copyfileobj(found, sys.stdout.buffer)
    sys.stdout.buffer.flush()
