"""The manifest of a snapshot: what is in it, and where it came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mlflow_compose.data.backup.fingerprint import Fingerprint
from mlflow_compose.engines.answers import RemoteError, shaped
from mlflow_compose.errors import SnapshotError

FILE = "manifest.json"
# The secrets of the stack, encrypted.
SECRETS = "secrets.age"
# Raised when an older version of this tool could misread a snapshot.
VERSION = 1
UNREADABLE = "its manifest cannot be read"
DAMAGED_HINT = "mlflow-compose snapshots lists the others"


@dataclass(frozen=True)
class Database:
    """The database of a snapshot.

    Attributes:
        kind: postgres or sqlite.
        file: Its file in the snapshot: a dump of pg_dump in the custom format, or a SQLite file.
        bytes: Size of the file.
        sha256: Digest of the file.
        server: Version of the PostgreSQL server, or of SQLite.
        namespace: PostgreSQL's schema with the tables, quoted if it has to be; empty for SQLite.
        schema: Alembic's revision, by the table that has it.
        rows: Number of rows by table.
    """

    kind: str
    file: str
    bytes: int
    sha256: str
    server: str
    namespace: str
    schema: Mapping[str, str]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Objects:
    """The objects of a snapshot.

    Attributes:
        kind: s3 or folder: where they were.
        file: List of the objects, one JSON object a line.
        sha256: Digest of the list.
        count: Number of objects.
        bytes: Sum of their sizes.
    """

    kind: str
    file: str
    sha256: str
    count: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What is in a snapshot.

    Attributes:
        version: Version of the format.
        name: Name of the snapshot.
        created: Time at which the database was read, with its time zone.
        stack: Compose project name.
        stack_id: Id of the stack.
        engine: Engine that ran it.
        mlflow: Version of MLflow.
        images: Image of each service.
        settings: Settings that are set and are not secret, by variable.
        database: The database.
        objects: The objects.
        has_secrets: Whether there is a file with the secrets of the stack, encrypted.
        fingerprint: Fingerprint of the keys that values in the database are encrypted with, None
            if there are none.
        image_ids: Id of the image that each service ran from: two images can have the same name
            over time.
    """

    version: int
    name: str
    created: str
    stack: str
    stack_id: str
    engine: str
    mlflow: str
    images: Mapping[str, str]
    settings: Mapping[str, str]
    database: Database
    objects: Objects
    has_secrets: bool = False
    fingerprint: Fingerprint | None = None
    image_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files with digests, the manifest first."""
        secrets = (SECRETS,) if self.has_secrets else ()
        return (FILE, self.objects.file, *secrets, self.database.file)

    @property
    def when(self) -> datetime:
        """The time at which the database was read."""
        found = datetime.fromisoformat(self.created)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def bytes(self) -> int:
        """Size of everything in it, each object counted once for each key."""
        return self.database.bytes + self.objects.bytes

    @property
    def text(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a snapshot.

    Raises:
        SnapshotError: There is none, it is damaged, or it is of a newer version of this tool.
    """
    try:
        text = (folder / FILE).read_bytes()
    except OSError:
        raise _damaged(folder.name, UNREADABLE) from None
    return parse_manifest(text, folder.name)


def parse_manifest(text: bytes, name: str) -> Manifest:
    """Return a manifest from the text of its file.

    Args:
        text: The text.
        name: Name of the snapshot, for errors.

    Raises:
        SnapshotError: It is damaged, or of a newer version of this tool.
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise _damaged(name, UNREADABLE) from None
    match found:
        case {"version": int(number)} if number > VERSION:
            raise SnapshotError(
                f"the snapshot {name} was made by a newer version of mlflow-compose",
                hint="update mlflow-compose (pip install --upgrade mlflow-compose)",
            )
    try:
        manifest = shaped(found, Manifest)
        datetime.fromisoformat(manifest.created)
    except (RemoteError, ValueError):
        raise _damaged(name, "its manifest is not in the format") from None
    return manifest


def _damaged(name: str, why: str) -> SnapshotError:
    return SnapshotError(f"the snapshot {name} is damaged: {why}", hint=DAMAGED_HINT)
