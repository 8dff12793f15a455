"""Snapshots in a bucket of another server: each content once, for all of them.

`PREFIX/objects/` has the contents, and `PREFIX/NAME/` the other files of a snapshot. The manifest
is sent last: a snapshot without one is not complete.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.data.backup.check import FILES, SHA256, damaged
from mlflow_compose.data.backup.contents import FOLDER, Contents
from mlflow_compose.data.backup.manifest import FILE, Manifest, parse_manifest
from mlflow_compose.data.backup.objects import read_list
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot, find, latest, new
from mlflow_compose.data.backup.sums import FILE as SUMS
from mlflow_compose.data.parallel import in_parallel
from mlflow_compose.errors import SnapshotError, UsageError
from mlflow_compose.result import Progress

TYPE = "application/octet-stream"
HINT = "run the same command again; contents that are there already are not sent again"


@dataclass(frozen=True)
class Remote:
    """A place for snapshots in a bucket.

    Attributes:
        bucket: The bucket.
        prefix: Prefix of all keys, empty or with a slash at its end.
    """

    bucket: Objects
    prefix: str

    def key(self, *parts: str) -> str:
        """Return the key of a file."""
        return self.prefix + "/".join(parts)

    def content(self, sha256: str) -> str:
        """Return the key of a content."""
        return self.key(FOLDER, sha256[:2], sha256)

    @property
    def url(self) -> str:
        """The place as it is typed."""
        return f"s3://{self.bucket.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        contents: Number of contents that were not there yet.
        bytes: Their size.
    """

    contents: int
    bytes: int


def send(snapshot: Snapshot, remote: Remote, progress: Progress) -> Sent:
    """Send a snapshot to a bucket, except contents that are there already.

    Raises:
        UsageError: There is a snapshot with its name.
        SnapshotError: The server refused a request, or did not answer.
    """
    name, rate, done = snapshot.name, Rate(), 0
    stored = read_list(snapshot.folder / snapshot.manifest.objects.file)
    sizes = {each.sha256: each.size for each in stored}
    with _errors(remote):
        if remote.bucket.has(remote.key(name, FILE)):
            raise UsageError(
                f"there is a snapshot {name} in {remote.url} already", hint="choose another name"
            )
        there = {each.key: each.size for each in remote.bucket.listed(remote.key(FOLDER, ""))}
        missing = [each for each in sizes if there.get(remote.content(each)) != sizes[each]]
        for sha256 in in_parallel(lambda each: _send_content(snapshot, remote, each), missing):
            done += sizes[sha256]
            progress.detail(rate.text(done))
        for file in (SUMS, *reversed(snapshot.manifest.files)):
            _upload(snapshot.folder / file, remote, remote.key(name, file))
    return Sent(len(missing), done)


def fetch(remote: Remote, name: str, top: Path, progress: Progress) -> Snapshot:
    """Fetch a snapshot into a folder of snapshots, except contents of its stack's last one there.

    Raises:
        SnapshotError: There is none with this name, it is damaged, or the server did not answer.
        FilesError: It cannot be written.
    """
    manifest = _manifest(remote, name)
    if (top / name).exists():
        found = find(top, name)
        if found.manifest != manifest:
            raise SnapshotError(
                f"{found.folder} is another snapshot, so the one in {remote.url} is not fetched",
                hint="rename that folder, then run the same command again",
            )
        return found
    previous = latest(top, manifest.stack_id)
    with new(top, name) as folder, _errors(remote):
        for file in (SUMS, *manifest.files):
            _download(remote, remote.key(name, file), folder / file)
        contents = Contents(folder, Contents(previous.folder) if previous else None)
        _fetch_contents(remote, folder / manifest.objects.file, contents, progress)
    return find(top, name)


def _manifest(remote: Remote, name: str) -> Manifest:
    key = remote.key(name, FILE)
    with _errors(remote):
        if not remote.bucket.has(key):
            raise SnapshotError(f"there is no complete snapshot {name} in {remote.url}")
        manifest = parse_manifest(remote.bucket.get(key), name)
    # Their names become those of files here.
    if strange := [file for file in manifest.files if file not in FILES]:
        raise damaged(name, strange)
    return manifest


def _fetch_contents(remote: Remote, listed: Path, contents: Contents, progress: Progress) -> None:
    sizes = {each.sha256: each.size for each in read_list(listed)}
    if strange := [each for each in sizes if not SHA256.fullmatch(each)]:
        raise damaged(listed.parent.name, strange)
    rate, done = Rate(), 0

    def get(sha256: str) -> str:
        if not contents.link(sha256, sizes[sha256]):
            found, _ = contents.add(remote.bucket.chunks(remote.content(sha256)))
            if found != sha256:
                raise damaged(remote.url, [remote.content(sha256)])
        return sha256

    for sha256 in in_parallel(get, sizes):
        done += sizes[sha256]
        progress.detail(rate.text(done))


def _send_content(snapshot: Snapshot, remote: Remote, sha256: str) -> str:
    _upload(Contents(snapshot.folder).path(sha256), remote, remote.content(sha256))
    return sha256


def _upload(path: Path, remote: Remote, key: str) -> None:
    remote.bucket.upload_file(key, path, TYPE)


def _download(remote: Remote, key: str, path: Path) -> None:
    with path.open("xb") as file:
        for chunk in remote.bucket.chunks(key):
            file.write(chunk)


@contextmanager
def _errors(remote: Remote) -> Iterator[None]:
    try:
        yield
    except ObjectsError as error:
        raise SnapshotError(f"{remote.url} cannot be used: {error}", hint=HINT) from None
