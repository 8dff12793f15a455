"""Remove a SQLite file, which MLflow creates again when it starts."""

from pathlib import Path

from mlflow_compose.engines.inside.answer import Request

PREFIX = "sqlite:///"
# Files that SQLite keeps next to it while it is open, or after a crash.
SUFFIXES = ("", "-journal", "-wal", "-shm")


def main(request: Request) -> None:
    """Remove the file.

    Args:
        request: `backend` (URI).
    """
    file = request["backend"].removeprefix(PREFIX)
    for suffix in SUFFIXES:
        Path(f"{file}{suffix}").unlink(missing_ok=True)
