"""Snapshots as archives: whole or not there, checked in one pass, and nothing else in them."""

import io
import json
import shutil
import stat
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlflow_compose.clients import Listed
from mlflow_compose.data.backup import (
    Archived,
    Snapshot,
    archives,
    check,
    check_archive,
    pack,
    unpack,
)
from mlflow_compose.data.backup.snapshot import PREFIX, partials
from mlflow_compose.errors import FilesError, SnapshotError, UsageError
from mlflow_compose.result import NoProgress
from tests.unit.conftest import User
from tests.unit.test_snapshots import NOW, Memory, make

CONTENTS = {"a/b": b"one", "ünïcode": b"", "same": b"one", "large": bytes(3_000_000)}


@pytest.fixture
def taken(tmp_path: Path) -> Snapshot:
    return make(tmp_path / "backups", "taken", Memory(**CONTENTS))


@pytest.fixture
def archive(taken: Snapshot) -> Path:
    return pack(taken, NoProgress()).path


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def rewritten(
    path: Path, change: Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]
) -> Path:
    """Return a copy of an archive in which each member was replaced."""
    changed = path.with_name("changed.tar")
    with tarfile.open(path) as old, tarfile.open(changed, "w") as new:
        for member in old:
            file = old.extractfile(member)
            for other, content in change(member, file.read() if file else b""):
                other.size = len(content)
                new.addfile(other, io.BytesIO(content))
    return changed


def test_an_archive_must_have_all_that_the_snapshot_has(
    archive: Path, taken: Snapshot, tmp_path: Path
) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    found = unpack(archive, tmp_path / "elsewhere", NoProgress())
    assert files(found.folder) == files(taken.folder)
    assert check(found, NoProgress()) == check(taken, NoProgress())
    assert check_archive(archive, NoProgress()).objects == len(CONTENTS)


def test_other_programs_must_read_an_archive_and_write_one(
    archive: Path, taken: Snapshot, tmp_path: Path
) -> None:
    subprocess.run(["tar", "--extract", "--file", str(archive)], cwd=tmp_path, check=True)
    assert files(tmp_path / "taken") == files(taken.folder)
    own = tmp_path / "own.tar"
    subprocess.run(["tar", "--create", "--file", str(own), "taken"], cwd=tmp_path, check=True)
    assert check_archive(own, NoProgress()).objects == len(CONTENTS)


def test_an_archive_that_cannot_be_written_must_leave_nothing(taken: Snapshot) -> None:
    (taken.folder / "database.sqlite").unlink()
    with pytest.raises(FilesError, match="cannot be written"):
        pack(taken, NoProgress())
    assert [path.name for path in taken.folder.parent.iterdir()] == ["taken"]
    assert partials(taken.folder.parent) == ()


def test_half_an_archive_must_be_deleted_by_the_next_backup(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}id.old.tar").write_bytes(b"half")
    make(tmp_path, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_an_archive_must_not_be_replaced(archive: Path, taken: Snapshot) -> None:
    before = archive.read_bytes()
    with pytest.raises(UsageError, match="already"):
        pack(taken, NoProgress())
    assert archive.read_bytes() == before


def test_archives_must_be_listed_with_their_contents(
    user: User, archive: Path, taken: Snapshot
) -> None:
    user.has_env()
    shutil.copytree(taken.folder.parent, user.folder / "backups")
    (user.folder / "backups" / "odd.tar").write_bytes(b"odd")
    listed = json.loads(user.types("snapshots", "--json").out)["data"]["snapshots"]
    by_name = {each["name"]: each for each in listed}
    assert set(by_name) == {"odd.tar", "taken", "taken.tar"}
    assert {**by_name["taken.tar"], "name": "taken"} == by_name["taken"]
    assert by_name["taken.tar"]["created"] == NOW.isoformat()
    assert (by_name["odd.tar"]["complete"], by_name["taken.tar"]["complete"]) == (False, True)
    assert user.types("backup", "--verify", archive.name).code == 0
    assert user.types("backup", "--verify", str(archive)).code == 0
    assert user.types("backup", "--verify", "missing.tar").code == 1


def flip(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


@pytest.mark.parametrize(
    "name", ["manifest.json", "database.sqlite", "objects.jsonl", "SHA256SUMS", "objects/"]
)
@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_damage_must_be_found(archive: Path, name: str, damage: str) -> None:
    hit: list[str] = []

    def change(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if name not in member.name or not content or hit:
            return [(member, content)]
        hit.append(member.name)
        return [(member, flip(content))] if damage == "flipped" else []

    with pytest.raises(SnapshotError):
        check_archive(rewritten(archive, change), NoProgress())
    assert hit


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_archive_must_be_refused_and_not_unpacked(
    archive: Path, tmp_path: Path, part: float
) -> None:
    archive.write_bytes(archive.read_bytes()[: int(part * archive.stat().st_size)])
    with pytest.raises(SnapshotError):
        check_archive(archive, NoProgress())
    with pytest.raises(SnapshotError):
        unpack(archive, tmp_path / "new", NoProgress())
    assert not [*(tmp_path / "new").iterdir()]


def odd(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        odd("../../evil"),
        odd("taken/../../evil"),
        odd("/tmp/evil"),  # noqa: S108 - in an archive
        odd("taken/evil"),
        odd("other/secrets.age"),
        odd("taken/objects/ab/../../../evil"),
        odd("taken/secrets.age", tarfile.SYMTYPE, "/etc/passwd"),
        odd("taken/secrets.age", tarfile.LNKTYPE, "taken/manifest.json"),
        odd("taken/secrets.age", tarfile.FIFOTYPE),
        odd("taken/manifest.json"),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_nothing_that_no_snapshot_has_must_be_unpacked(
    archive: Path, tmp_path: Path, member: tarfile.TarInfo
) -> None:
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member)
    top = tmp_path / "new" / "backups"
    top.mkdir(parents=True)
    for read in (
        lambda: check_archive(archive, NoProgress()),
        lambda: unpack(archive, top, NoProgress()),
    ):
        with pytest.raises(SnapshotError, match="not the archive of a snapshot"):
            read()
    assert [*(tmp_path / "new").rglob("*")] == [top]


def test_a_content_under_another_name_must_not_be_unpacked(archive: Path, tmp_path: Path) -> None:
    def change(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        return [(member, flip(content) if "/objects/" in member.name and content else content)]

    with pytest.raises(SnapshotError, match="damaged"):
        unpack(rewritten(archive, change), tmp_path / "new", NoProgress())
    assert not [*(tmp_path / "new").iterdir()]


def test_an_archive_must_be_unpacked_once(archive: Path, taken: Snapshot) -> None:
    top = taken.folder.parent
    assert unpack(archive, top, NoProgress()) == taken
    file = taken.folder / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8").replace("3.17.2", "3.17.1"), encoding="utf-8")
    with pytest.raises(SnapshotError, match="another snapshot"):
        unpack(archive, top, NoProgress())


def test_init_must_take_settings_from_an_archive(user: User, archive: Path) -> None:
    assert user.types("init", "--from", str(archive)).code == 0
    assert user.types("config").code == 0


class Unmarked(Memory):
    def listed(self) -> Sequence[Listed]:
        return [Listed(key, len(content), "") for key, content in self.found.items()]


def test_memory_must_not_grow_with_the_contents(tmp_path: Path) -> None:
    many = {str(number): f"{number}".encode() * 10 for number in range(500)}
    large = make(tmp_path / "backups", "large", Unmarked(large=bytes(32_000_000), **many))
    tracemalloc.start()
    try:
        path = pack(large, NoProgress()).path
        unpack(path, tmp_path / "new", NoProgress())
        check_archive(path, NoProgress())
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_an_archive_must_be_known_by_its_manifest(archive: Path, taken: Snapshot) -> None:
    assert [*archives(archive.parent)] == [Archived(archive, taken.manifest)]
