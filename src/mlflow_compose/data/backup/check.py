"""Read a snapshot again, and compare everything in it with its digests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_compose.data.backup.contents import Contents, digest
from mlflow_compose.data.backup.dump import SQLITE
from mlflow_compose.data.backup.dumped import DUMP
from mlflow_compose.data.backup.manifest import FILE as MANIFEST
from mlflow_compose.data.backup.manifest import SECRETS
from mlflow_compose.data.backup.objects import FILE as OBJECTS
from mlflow_compose.data.backup.objects import Stored, read_list
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.data.backup.sums import FILE, wrong_sums
from mlflow_compose.data.parallel import in_parallel
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress

SHOWN = 3
FILES = frozenset({MANIFEST, OBJECTS, SECRETS, DUMP, SQLITE})
# Also the name of a file.
SHA256 = re.compile(r"[0-9a-f]{64}")
HINT = "restore another one: mlflow-compose snapshots lists them"


@dataclass(frozen=True)
class Checked:
    """What was read again.

    Attributes:
        objects: Number of objects.
        bytes: Bytes that were read.
    """

    objects: int
    bytes: int


def check(snapshot: Snapshot, progress: Progress) -> Checked:
    """Read every file of a snapshot, and compare it with its digest.

    Raises:
        SnapshotError: Something is missing or has changed.
    """
    manifest, folder = snapshot.manifest, snapshot.folder
    if wrong := [*wrong_sums(folder)]:
        raise damaged(snapshot.name, wrong)
    for name in manifest.files:
        if name not in FILES or not _is_listed(snapshot, name):
            raise damaged(snapshot.name, [name])
    stored = [*read_list(folder / manifest.objects.file)]
    if strange := [each.key for each in stored if not SHA256.fullmatch(each.sha256)]:
        raise damaged(snapshot.name, strange)
    size = manifest.database.bytes + _check_contents(snapshot, stored, progress)
    found = (len(stored), sum(each.size for each in stored))
    if found != (manifest.objects.count, manifest.objects.bytes):
        raise damaged(snapshot.name, [manifest.objects.file])
    return Checked(len(stored), size)


def _is_listed(snapshot: Snapshot, name: str) -> bool:
    """Tell whether the digest of a file is known."""
    lines = (snapshot.folder / FILE).read_text(encoding="utf-8").splitlines()
    return any(line.endswith(f"  {name}") for line in lines)


def _check_contents(snapshot: Snapshot, stored: list[Stored], progress: Progress) -> int:
    """Read every content once; return the number of bytes."""
    sizes = {each.sha256: each.size for each in stored}
    rate, done, wrong = Rate(), 0, list[str]()

    def read(item: tuple[str, int]) -> tuple[str, int, bool]:
        sha256, size = item
        return sha256, size, _is_whole(snapshot, sha256, size)

    for sha256, size, whole in in_parallel(read, sizes.items()):
        done += size
        if not whole:
            wrong += [each.key for each in stored if each.sha256 == sha256]
        progress.detail(f"objects, {rate.text(done)}")
    if wrong:
        raise damaged(snapshot.name, wrong)
    return done


def _is_whole(snapshot: Snapshot, sha256: str, size: int) -> bool:
    path = Contents(snapshot.folder).path(sha256)
    try:
        return path.stat().st_size == size and digest(path) == sha256
    except OSError:
        return False


def damaged(snapshot: str, names: Sequence[str]) -> SnapshotError:
    """Return the error for a snapshot in which something is missing or has changed."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    shown = ", ".join(names[:SHOWN])
    are = "is" if len(names) == 1 else "are"
    return SnapshotError(
        f"the snapshot {snapshot} is damaged: {shown}{more} {are} missing, or changed "
        "since it was taken",
        hint=HINT,
    )
