"""Read archives of snapshots: check one, or unpack it."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mlflow_compose.data.backup import manifest as format_
from mlflow_compose.data.backup import sums
from mlflow_compose.data.backup.archive import HINT, Member, members, read_archive
from mlflow_compose.data.backup.check import Checked, damaged
from mlflow_compose.data.backup.contents import Contents
from mlflow_compose.data.backup.copy import FILE_MODE, existing
from mlflow_compose.data.backup.manifest import parse_manifest
from mlflow_compose.data.backup.objects import FILE as OBJECTS
from mlflow_compose.data.backup.objects import Stored
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.snapshot import Snapshot, find, new
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import Progress

# Small files that are needed to check the others.
KEPT = (format_.FILE, sums.FILE)


@dataclass
class _Read:
    """What was read of an archive.

    Attributes:
        listed: The list of objects.
        texts: Contents of the files of KEPT.
        digests: SHA-256 by file.
        sizes: Size of each object's content, by its SHA-256.
        wrong: Contents that differ from their names.
        bytes: Number of bytes.
    """

    listed: IO[bytes]
    texts: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    bytes: int = 0

    def take(self, member: Member) -> None:
        """Read a file."""
        sha256 = self._digest(member)
        self.bytes += member.size
        if not member.sha256:
            self.digests[member.name] = sha256
        elif member.sha256 == sha256:
            self.sizes[sha256] = member.size
        else:
            self.wrong.append(member.name)

    def _digest(self, member: Member) -> str:
        if member.name in KEPT:
            text = self.texts[member.name] = member.content()
            return hashlib.sha256(text).hexdigest()
        found = hashlib.sha256()
        for chunk in member.chunks():
            found.update(chunk)
            if member.name == OBJECTS:
                self.listed.write(chunk)
        return found.hexdigest()

    def stored(self) -> Iterator[Stored]:
        """Yield the objects of the snapshot."""
        self.listed.seek(0)
        for line in self.listed:
            yield Stored(**json.loads(line))


def check_archive(path: Path, progress: Progress) -> Checked:
    """Read an archive, and compare every file in it with its digest.

    Raises:
        SnapshotError: It is no archive of a snapshot, or something is missing or has changed.
    """
    with tempfile.TemporaryFile() as listed:
        read, rate = _Read(listed), Rate()
        for member in members(path):
            read.take(member)
            progress.detail(rate.text(read.bytes))
        _check_files(read, path.name)
        stored = [(each.key, each.sha256, each.size) for each in read.stored()]
    if wrong := [key for key, sha256, size in stored if read.sizes.get(sha256) != size]:
        raise damaged(path.name, wrong)
    return Checked(len(stored), read.bytes)


def unpack(path: Path, top: Path, progress: Progress) -> Snapshot:
    """Unpack an archive into a folder of snapshots, where it becomes a snapshot like any other.

    Raises:
        SnapshotError: It is no archive of a snapshot, is damaged, or there is another snapshot with
            its name.
        FilesError: The snapshot cannot be written.
    """
    first = next(members(path), None)
    if first is None:
        raise SnapshotError(f"{path} is empty", hint=HINT)
    if (top / first.snapshot).exists():
        return existing(find(top, first.snapshot), read_archive(path).manifest, str(path))
    rate, done = Rate(), 0
    with new(top, first.snapshot) as folder:
        contents = Contents(folder)
        for member in members(path):
            _unpack(member, folder, contents)
            done += member.size
            progress.detail(rate.text(done))
        format_.read_manifest(folder)
    return find(top, first.snapshot)


def _unpack(member: Member, folder: Path, contents: Contents) -> None:
    if member.sha256:
        sha256, _ = contents.add(member.chunks())
        if sha256 != member.sha256:
            raise damaged(member.snapshot, [member.name])
        return
    with (folder / member.name).open("xb") as file:
        for chunk in member.chunks():
            file.write(chunk)
    (folder / member.name).chmod(FILE_MODE)


def _check_files(read: _Read, name: str) -> None:
    """Compare the files of an archive with their digests, and contents with their names."""
    if missing := [each for each in KEPT if each not in read.texts]:
        raise damaged(name, missing)
    manifest = parse_manifest(read.texts[format_.FILE], name)
    lines = read.texts[sums.FILE].decode(errors="replace").splitlines()
    expected = {each: sha256 for sha256, _, each in (line.partition("  ") for line in lines)}
    named = sorted({*expected, *manifest.files})
    wrong = [each for each in named if read.digests.get(each, "none") != expected.get(each)]
    if wrong := [*wrong, *read.wrong]:
        raise damaged(name, wrong)
