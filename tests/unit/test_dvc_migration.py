"""DVC's buckets in a migration: which are copied, and which are left alone and named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlflow_compose.actions import MigrationPlan, dvc_buckets
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.payloads import CopiedObjects
from mlflow_compose.record import Record, write_record
from tests.unit.fakes import FakeEngine, FakeScreen
from tests.unit.test_migrate import move

FOREIGN = "a bucket of that name is there, which is not this stack's"


@dataclass(frozen=True)
class Memory(Objects):
    """A server in memory: its buckets by name, each with its objects."""

    held: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def buckets(self) -> tuple[str, ...]:
        return tuple(self.held)

    def create_bucket(self) -> bool:
        is_new = self.bucket not in self.held
        self.held.setdefault(self.bucket, {})
        return is_new

    def put(self, key: str, content: bytes) -> None:
        self.held[self.bucket][key] = content

    def has(self, key: str) -> bool:
        if self.bucket not in self.held:
            raise ObjectsError("list_objects_v2 was refused: NoSuchBucket")
        return any(found.startswith(key) for found in self.held[self.bucket])

    def get(self, key: str) -> bytes:
        return self.held[self.bucket][key]


def server(**held: dict[str, bytes]) -> Memory:
    return Memory("http://s3.lab", "mlflow", ("", ""), "", held=held)


def copied(
    found: MigrationPlan, old: Memory, new: Memory, monkeypatch: pytest.MonkeyPatch
) -> tuple[Mapping[str, CopiedObjects], list[str]]:
    """Return what is copied to an external server, and what is shown."""
    monkeypatch.setattr(dvc_buckets, "administrator", lambda _: old)
    monkeypatch.setattr(Objects, "of", lambda *_: new)

    def copy(source: Memory, target: Memory, *_: object, own: bool) -> CopiedObjects:
        assert source.bucket == target.bucket
        assert not own
        target.held[target.bucket].update(source.held[source.bucket])
        return CopiedObjects(1, 1, 1)

    monkeypatch.setattr(dvc_buckets, "copy_objects", copy)
    screen = FakeScreen()
    done = dvc_buckets.copy_buckets(found, FakeEngine(found.intermediate.stack), screen)
    return done, screen.shown


def to_external(folder: Path, **environ: str) -> MigrationPlan:
    found = move(folder, "s3=http://s3.lab:80", environ=environ)
    write_record(Record(dvc_buckets={"docker": ["dvc", "gone"]}), found.old.paths)
    return found


def test_only_recorded_buckets_that_exist_must_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = to_external(tmp_path, MLFLOW_BUCKET_CREATE="true")
    owner = {dvc_buckets.OWNER: found.old.stack.identity.encode()}
    old = server(mlflow={}, dvc={**owner, "data": b"1"}, thesis={"a": b"mine"})
    # Interrupted copies are resumed.
    for there in ({}, {"dvc": dict(owner)}):
        new = server(mlflow={}, **there)
        done, shown = copied(found, old, new, monkeypatch)
        assert [*done] == ["dvc"]
        assert new.held == {"mlflow": {}, "dvc": old.held["dvc"]}
        assert shown == ["Copying the bucket dvc"]


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ({}, "list_objects_v2 was refused: NoSuchBucket"),
        ({"dvc": {}}, FOREIGN),
        ({"dvc": {"a": b"other"}}, FOREIGN),
        ({"dvc": {dvc_buckets.OWNER: b"fedcba9876543210"}}, FOREIGN),
    ],
)
def test_a_bucket_without_room_must_be_named_and_nothing_overwritten(
    there: dict[str, dict[str, bytes]],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The migration goes on, and `--prune` keeps the volume like that of any other bucket."""
    found, old = to_external(tmp_path), server(mlflow={}, dvc={"data": b"1"})
    new = server(**{name: dict(objects) for name, objects in there.items()})
    done, shown = copied(found, old, new, monkeypatch)
    assert done == {}
    assert shown[-1] == f"note: the bucket dvc is not copied: {reason}"
    assert new.held == there


def test_a_stack_without_a_server_of_its_own_must_copy_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = move(tmp_path, "provider=minio", "MINIO_HOST=objects.lab")
    write_record(Record(dvc_buckets={"docker": ["dvc"]}), found.old.paths)
    assert copied(found, server(dvc={}), server(), monkeypatch)[0] == {}
