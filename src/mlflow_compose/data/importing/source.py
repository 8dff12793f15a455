"""Recognise a source: an mlruns folder, a SQLite file or a tracking server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlsplit, urlunsplit

from mlflow_compose.errors import SourceError

FOLDER, SQLITE, SERVER = "folder", "sqlite", "server"
SQLITE_HEADER = b"SQLite format 3\0"
# Artifact folders beside a database: of `mlflow server`, an MLflow client, and a local stack.
ARTIFACT_FOLDERS = ("mlartifacts", "mlruns", "artifacts")
KINDS = "name an mlruns folder, a SQLite file or the URL of a tracking server"
CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
OTHER_DATABASES = ("postgresql", "mysql", "mssql", "mariadb")


@dataclass(frozen=True)
class Source:
    """The source of an import.

    Attributes:
        kind: folder, sqlite or server.
        name: Name shown to users.
        path: Path of a folder or a file.
        artifacts: Folders to search for the artifacts of a folder or file.
        url: URL of a server.
        login: Name and password for a server.
        token: Token for a server, instead of name and password.
        verify: Whether to verify a server's certificate, or the path of CA certificates.
    """

    kind: str
    name: str
    path: Path = Path()
    artifacts: tuple[Path, ...] = ()
    url: str = ""
    login: tuple[str, str] | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    verify: bool | str = True


def recognise(text: str, artifacts: Path | None, environ: Mapping[str, str]) -> Source:
    """Return the source that a user typed.

    Args:
        text: Source as typed.
        artifacts: Folder of its artifacts, None for MLflow's default.
        environ: Environment with a server's credentials, in the variables of MLflow's client.

    Raises:
        SourceError: The source does not exist, or is not MLflow's.
    """
    scheme = text.partition(":")[0].partition("+")[0].lower() if "://" in text else ""
    if scheme in {"http", "https"}:
        return _server(text, environ)
    if scheme in OTHER_DATABASES:
        raise SourceError(
            f"a {scheme} database cannot be imported directly",
            hint="start an MLflow server on it and import from its URL",
        )
    # As SQLAlchemy and MLflow spell them: three slashes, then a path.
    path = Path(unquote(re.sub(r"^(sqlite:///|file://)", "", text))).expanduser()
    if not path.exists():
        raise SourceError(f"{path} does not exist", hint=KINDS)
    if artifacts is not None and not artifacts.is_dir():
        raise SourceError(
            f"the folder {artifacts} does not exist", hint="--artifacts must be a folder"
        )
    return _folder(path, artifacts) if path.is_dir() else _file(path, artifacts)


def _server(text: str, environ: Mapping[str, str]) -> Source:
    try:
        parts = urlsplit(text)
    except ValueError:
        # The text is not shown, since it may contain a password.
        raise SourceError("the source is not a valid URL", hint=KINDS) from None
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    name = unquote(parts.username or "") or environ.get("MLFLOW_TRACKING_USERNAME", "")
    password = unquote(parts.password or "") or environ.get("MLFLOW_TRACKING_PASSWORD", "")
    insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}
    return Source(
        SERVER,
        url,
        url=url,
        login=(name, password) if name else None,
        token="" if name else environ.get("MLFLOW_TRACKING_TOKEN", ""),
        verify=_certificate(environ) or not insecure,
    )


def _certificate(environ: Mapping[str, str]) -> str:
    path = environ.get(CERTIFICATE, "")
    if path and not Path(path).exists():
        raise SourceError(
            f"{CERTIFICATE} is {path}, which does not exist",
            hint=f"unset {CERTIFICATE}, or set it to the CA certificates that signed the server's",
        )
    return path


def _folder(path: Path, artifacts: Path | None) -> Source:
    for folder in (path / "mlruns", path):
        if any(folder.glob("*/meta.yaml")) or any(folder.glob(".trash/*/meta.yaml")):
            folders = (folder, folder / ".trash")
            return Source(
                FOLDER, str(path), folder, (artifacts, *folders) if artifacts else folders
            )
    databases = sorted(file for file in path.glob("*.db") if _is_sqlite(file))
    raise SourceError(
        f"{path} is not an mlruns folder: no experiment in it has a meta.yaml",
        hint=f"mlflow-compose import {quote(str(databases[0]))}" if databases else KINDS,
    )


def _file(path: Path, artifacts: Path | None) -> Source:
    if not _is_sqlite(path):
        raise SourceError(f"{path} is not a SQLite file", hint=KINDS)
    beside = tuple(path.parent / name for name in ARTIFACT_FOLDERS)
    return Source(SQLITE, str(path), path, (artifacts,) if artifacts else beside)


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
