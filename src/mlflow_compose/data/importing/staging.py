"""A temporary folder with everything of a source but its artifacts, for the mlflow service.

It is beside the env file, from which Docker can mount: the secrets are mounted from there too. The
outer folder is closed to other users. The inner one is readable by all, because the service runs
as another user.
"""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow_compose.data.importing.source import Source
from mlflow_compose.errors import FilesError, SourceError
from mlflow_compose.machine import is_alive, is_unwritable

PREFIX = ".import"
# The name that mkdtemp generates.
NAME = re.compile(rf"{re.escape(PREFIX)}\.(?P<pid>\d+)\.[a-z0-9_]{{8}}", re.ASCII)
NOTE = ".mlflow-compose-import"
NOTE_TEXT = "Made by mlflow-compose import, and removed by the next one if that was killed.\n"
DATABASE, RUNS = "mlflow.db", "mlruns"
READABLE, ENTERABLE = 0o644, 0o755
# An artifact folder is next to one of these files.
ARTIFACT_OWNERS = ("meta.yaml", "trace_info.yaml")
ARTIFACTS = "artifacts"
# SQLite's file header: offset of the write version, and its value for a write-ahead log (WAL).
# https://www.sqlite.org/fileformat.html#file_format_version_numbers
WRITE_VERSION, WAL = 18, 2


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Provide a folder to fill, and remove it afterwards.

    Raises:
        FilesError: The folder cannot be created, or the disk is full.
    """
    outer = _create(root)
    inner = outer / "given"
    try:
        (outer / NOTE).write_text(NOTE_TEXT, encoding="utf-8")
        inner.mkdir()
        inner.chmod(ENTERABLE)
        yield inner
    except OSError as error:
        if not is_unwritable(error):
            raise
        raise _unwritable(root, error.strerror) from None
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _create(root: Path) -> Path:
    try:
        remove_abandoned(root)
        return Path(tempfile.mkdtemp(prefix=f"{PREFIX}.{os.getpid()}.", dir=root))
    except OSError as error:
        raise _unwritable(root, error.strerror) from None


def _unwritable(folder: Path, why: str | None) -> FilesError:
    return FilesError(
        f"{folder} cannot be written: {why}",
        hint=f"df {folder} and ls -ld {folder} show the free space and the owner",
    )


def remove_abandoned(root: Path) -> None:
    """Remove the folders of killed imports; the name alone does not identify them."""
    for folder in root.glob(f"{PREFIX}.*.*"):
        name = NAME.fullmatch(folder.name)
        if name and _has_note(folder) and not is_alive(int(name["pid"])):
            shutil.rmtree(folder, ignore_errors=True)


def _has_note(folder: Path) -> bool:
    try:
        return (folder / NOTE).read_text(encoding="utf-8") == NOTE_TEXT
    except (OSError, UnicodeDecodeError):
        return False


def copy_mlruns(source: Source, target: Path) -> None:
    """Copy the files of an mlruns folder without the artifacts.

    Raises:
        SourceError: A file cannot be read.
    """
    top = target / RUNS
    try:
        for folder, names, files in os.walk(source.path, onerror=_raise, followlinks=True):
            if ARTIFACTS in names and any(name in files for name in ARTIFACT_OWNERS):
                names.remove(ARTIFACTS)
            copied = top / Path(folder).relative_to(source.path)
            copied.mkdir()
            copied.chmod(ENTERABLE)
            copy = _copy_points if _has_metrics(copied.relative_to(top)) else shutil.copyfile
            for name in files:
                copy(Path(folder, name), copied / name)
                (copied / name).chmod(READABLE)
    except OSError as error:
        if is_unwritable(error):
            # The copy cannot be written; the source is fine.
            raise
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from None


def _has_metrics(folder: Path) -> bool:
    """Tell whether a folder below mlruns holds metric histories."""
    parts = folder.parts[1:] if folder.parts[:1] == (".trash",) else folder.parts
    of_model = parts[1:2] == ("models",)
    return parts[3 if of_model else 2 :][:1] == ("metrics",)


def _copy_points(source: Path, target: Path) -> None:
    """Copy a metric history without duplicate points, which databases do not accept."""
    lines = source.read_bytes().splitlines(keepends=True)
    target.write_bytes(b"".join(dict.fromkeys(lines)))


def _raise(error: OSError) -> None:
    raise error


def copy_database(source: Source, target: Path) -> None:
    """Copy a SQLite file, even while it is in use.

    Raises:
        SourceError: The file is damaged, or not MLflow's.
    """
    path = target / DATABASE
    try:
        with (
            closing(sqlite3.connect(_uri(source.path), uri=True)) as reading,
            closing(sqlite3.connect(path)) as writing,
        ):
            reading.backup(writing)
            # SQLite cannot open a WAL database in a read-only mount.
            writing.execute("PRAGMA journal_mode = DELETE")
            found = writing.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'")
            if found.fetchone() is None:
                raise SourceError(
                    f"{source.path} is not an MLflow database: it has no table experiments",
                    hint="name the file from `--backend-store-uri`",
                )
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            # The copy cannot be written; the source is fine.
            raise _unwritable(target, str(error)) from None
        raise SourceError(f"{source.path} cannot be read: {error}") from None
    path.chmod(READABLE)


def _uri(path: Path) -> str:
    """Return a URI that opens a file without writing to it or creating files next to it."""
    with path.open("rb") as file:
        uses_wal = file.read(WRITE_VERSION + 1)[-1] == WAL
    # Without its WAL file, a WAL database is not open anywhere.
    unused = uses_wal and not path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if unused else ''}"
