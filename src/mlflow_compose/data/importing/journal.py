"""Record which artifacts are being sent, so that a killed import is resumed exactly there.

After a kill, a folder may contain an incomplete file. Its size alone does not distinguish it from a
shorter file that a client stored after an earlier import.
"""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from mlflow_compose.data.importing.transfer import Put
from mlflow_compose.errors import FilesError
from mlflow_compose.paths import StackPaths, write_state

JOURNAL = "import.jsonl"
BEGIN, END = "begin", "end"


def interrupted(paths: StackPaths) -> set[str]:
    """Return the keys of artifacts that earlier imports may have stored incompletely.

    Raises:
        FilesError: The journal cannot be read.
    """
    path = paths.state / JOURNAL
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise FilesError(
            f"{path} cannot be read: {error.strerror}", hint=f"ls -l {path} shows the owner"
        ) from None
    keys: set[str] = set()
    for line in lines:
        match _event(line):
            case [event, str(key)] if event == BEGIN:
                keys.add(key)
            case [event, str(key)] if event == END:
                keys.discard(key)
    return keys


def _event(line: str) -> object:
    """Return one event of the journal; the last one may be cut off by a kill."""
    try:
        return json.loads(line)
    except ValueError:
        return None


@contextmanager
def journaled(put: Put, paths: StackPaths, earlier: Collection[str]) -> Iterator[Put]:
    """Provide a `put` that records each key before it is sent, and after the stack has it.

    A key that failed stays in the journal, since the stack may have an incomplete artifact.

    Args:
        put: Function that stores a file in the stack.
        paths: Files of the stack.
        earlier: Keys of artifacts that may still be incomplete in the stack.

    Raises:
        FilesError: The journal cannot be written.
    """
    lock, partial = Lock(), {*earlier}
    _write(paths, partial)
    with (paths.state / JOURNAL).open("a", encoding="utf-8") as file:

        def record(event: str, key: str) -> None:
            with lock:
                (partial.add if event == BEGIN else partial.discard)(key)
                file.write(_line(event, key))
                file.flush()
                if event == BEGIN:
                    # Otherwise a power failure may lose the record, but keep part of the artifact.
                    os.fsync(file.fileno())

        def recorded(key: str, path: Path) -> None:
            record(BEGIN, key)
            put(key, path)
            record(END, key)

        yield recorded
    _write(paths, partial)


def _write(paths: StackPaths, keys: Collection[str]) -> None:
    write_state(paths, JOURNAL, "".join(_line(BEGIN, key) for key in sorted(keys)))


def _line(event: str, key: str) -> str:
    return json.dumps([event, key]) + "\n"
