"""Buckets of the old S3 server that a migration does not copy: they are named, and stay."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import MigrationPlan, Plan, migrate, old_server, plan_migration
from mlflow_compose.actions.locations import other_locations
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.engines import Engine
from mlflow_compose.errors import EngineError, StoreError, UsageError
from mlflow_compose.payloads import CopiedObjects, Migrated, Pruned
from mlflow_compose.record import Record, read_record, write_record
from mlflow_compose.result import Result
from mlflow_compose.stack import PROVIDERS
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen, answered
from tests.unit.test_clients import Answer, answers, server
from tests.unit.test_migrate import move, plan

KEPT = {"minio_data": ["datasets", "thesis"]}
BUCKETS = (
    '<?xml version="1.0"?><ListAllMyBucketsResult><Buckets>'
    "<Bucket><Name>thesis</Name></Bucket><Bucket><Name>mlflow</Name></Bucket>"
    "<Bucket><Name>lost+found</Name></Bucket><Bucket><Name>datasets</Name></Bucket>"
    "</Buckets></ListAllMyBucketsResult>"
)


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


def remembering(asked: list[str]) -> Answer:
    """Answer with the buckets, and remember who asked."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.headers["Authorization"])
        answers(200, BUCKETS)(request)

    return answer


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ((), "root-of-the-sample"),
        (("S3_PROVIDER=rclone",), "app-key-of-the-sample"),
        (("STACK_ENGINE=local",), "app-key-of-the-sample"),
    ],
)
def test_the_key_that_sees_all_must_be_used(
    lines: tuple[str, ...], key: str, tmp_path: Path
) -> None:
    asked: list[str] = []
    with server(remembering(asked)) as url:
        old = plan(tmp_path, f"MINIO_PORT={port_of(url)}", *lines)
        assert old_server.other_buckets(old) == ("datasets", "thesis")
    assert f"Credential={key}/" in asked[0]


def test_an_external_server_must_not_be_asked(tmp_path: Path) -> None:
    assert old_server.other_buckets(plan(tmp_path, "MINIO_HOST=objects.lab")) == ()


# --- the migration

World = tuple[MigrationPlan, Callable[[], Result]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a migration to another server, whose old server has other buckets."""
    found = move(tmp_path, "provider=versitygw")

    def engine_of(plan: Plan) -> Engine:
        ports = frozenset(port.published for _, port in plan.stack.ports)
        locations = answered({"buckets": {"mlflow": 2, "thesis": 1}})
        return FakeEngine(plan.stack, ALL_WELL, held=ports, outcome=locations)

    monkeypatch.setattr(migrate, "copy_objects", lambda *_, **__: CopiedObjects(1, 2, 1))
    monkeypatch.setattr(migrate, "verify", lambda *_: Result())
    monkeypatch.setattr(Objects, "buckets", lambda _: ("thesis", "mlflow", "datasets"))
    return found, lambda: actions.migrate_store(found, engine_of, FakeScreen(), wait_timeout=5)


def test_what_was_not_copied_must_be_named(world: World) -> None:
    _, migrate_store = world
    result = migrate_store()
    assert isinstance(result.data, Migrated)
    assert result.data.other_buckets == ("datasets", "thesis")
    assert result.data.other_locations == {"thesis": 1}
    assert result.data.kept == ["minio_data"]
    text = "\n".join(result.lines)
    assert "datasets: another bucket of the old S3 server, not copied\nthesis: " in text
    assert (
        "thesis: another bucket, not copied; artifact locations in the database name it (1)" in text
    )
    assert "kept in minio_data; --prune leaves it alone" in text
    assert "--prune deletes" not in text


def test_what_was_not_copied_must_never_be_deleted(world: World) -> None:
    found, migrate_store = world
    migrate_store()
    engine = FakeEngine(found.new.stack, unused=("minio_data",))
    assert actions.unused(found.new, engine) == ()
    result = actions.prune(found.new, engine, ())
    assert result.data == Pruned((), KEPT)
    assert result.lines == [
        "minio_data was not deleted: it also holds buckets that were not copied:",
        "  datasets",
        "  thesis",
        "fake rm minio_data deletes it with all of them",
    ]


@pytest.mark.parametrize("volume", [provider.volume for provider in PROVIDERS.values()])
def test_a_volume_of_an_earlier_version_must_never_be_deleted(volume: str, tmp_path: Path) -> None:
    """It did not record which buckets were not copied."""
    found = plan(tmp_path, "BACKEND_STORE=sqlite", "ARTIFACT_STORE=local")
    found.paths.state.mkdir(exist_ok=True)
    text = f'{{"left_over": {{"docker": ["postgres_data", "{volume}"]}}}}'
    (found.paths.state / "record.json").write_text(text, encoding="utf-8")
    engine = FakeEngine(found.stack, unused=("postgres_data", volume))
    assert actions.unused(found, engine) == ("postgres_data",)
    result = actions.prune(found, engine, ("postgres_data",))
    assert result.data == Pruned(("postgres_data",), {volume: ()})
    assert result.lines == [
        "deleted: postgres_data",
        f"{volume} was not deleted: it is unknown whether all of its buckets were copied",
        f"fake rm {volume} deletes it with all of them",
    ]
    assert list(read_record(found.paths).left_over["docker"]) == [volume]


def test_it_must_be_recorded_before_the_stack_can_switch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `kill -9`, `up` finishes the migration and does not ask the old server."""
    found, migrate_store = world

    def fail(*_: object) -> None:
        raise EngineError("the machine ends here")

    monkeypatch.setattr(migrate, "_switch", fail)
    with pytest.raises(EngineError):
        migrate_store()
    recorded = read_record(found.old.paths).other_buckets["docker"]
    assert recorded["minio_data"] == KEPT["minio_data"]


def test_without_other_buckets_everything_must_be_deletable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if there were some at an earlier migration."""
    found, migrate_store = world
    paths = found.old.paths
    write_record(Record(other_buckets={"docker": KEPT}), paths)
    monkeypatch.setattr(Objects, "buckets", lambda _: ("mlflow",))
    assert "--prune deletes it" in migrate_store().lines[-1]
    assert actions.unused(found.new, FakeEngine(found.new.stack, unused=("minio_data",))) == (
        "minio_data",
    )


def test_a_server_that_does_not_list_its_buckets_must_stop_the_migration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Objects) -> tuple[str, ...]:
        raise ObjectsError("list_buckets was refused: AccessDenied")

    monkeypatch.setattr(Objects, "buckets", fail)
    with pytest.raises(StoreError, match="list_buckets was refused"):
        world[1]()


def test_a_bucket_that_runs_name_must_keep_its_name(tmp_path: Path) -> None:
    """Also if they were logged with direct access, and it is off by now."""
    more = tmp_path / "new.env"
    more.write_text("MLFLOW_BUCKET_NAME=team\n", encoding="utf-8")
    found = plan_migration(plan(tmp_path), ["s3=http://objects.lab:9000"], more, {})
    for buckets, refused in (({"mlflow": 2}, True), ({"thesis": 2}, False), ({}, False)):
        engine = FakeEngine(found.old.stack, outcome=answered({"buckets": buckets}))
        if refused:
            with pytest.raises(
                UsageError, match=r"MLFLOW_BUCKET_NAME cannot change.* mlflow \(2\)$"
            ):
                other_locations(found, engine, FakeScreen())
        else:
            assert other_locations(found, engine, FakeScreen()) == buckets


# --- a target that is the old server


@dataclass(frozen=True)
class Memory(Objects):
    """A server in memory: its buckets by name, each with its keys."""

    held: dict[str, list[str]] = field(default_factory=dict)
    is_full: bool = False

    def buckets(self) -> tuple[str, ...]:
        return tuple(self.held)

    def put(self, key: str, content: bytes) -> None:
        del content
        if self.is_full:
            raise ObjectsError("put_object was refused: XMinioStorageFull")
        self.held[self.bucket].append(key)

    def delete(self, key: str) -> None:
        self.held[self.bucket].remove(key)

    def has(self, key: str) -> bool:
        return any(found.startswith(key) for found in self.held[self.bucket])

    def check(self) -> None:
        assert self.bucket in self.held


def server_with(*buckets: str, is_full: bool = False) -> Memory:
    held: dict[str, list[str]] = {name: ["a"] for name in buckets}
    return Memory("http://s3.lab", buckets[0], ("", ""), "", held=held, is_full=is_full)


@pytest.mark.parametrize("bucket", ["mlflow", "team"])
def test_the_old_server_under_another_address_must_be_known(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = server_with("mlflow", "team")
    monkeypatch.setattr(old_server, "administrator", lambda _: own)
    assert old_server.serves(plan(tmp_path), replace(own, bucket=bucket))
    assert own.held == {"mlflow": ["a"], "team": ["a"]}


@pytest.mark.parametrize("own", [server_with("mlflow"), server_with("mlflow", is_full=True)])
def test_another_server_must_not_be_taken_for_it(
    own: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_server, "administrator", lambda _: own)
    old = plan(tmp_path)
    for target in (server_with("mlflow"), server_with("team", "mlflow")):
        assert not old_server.serves(old, target)
        assert target.held["mlflow"] == own.held["mlflow"] == ["a"]


def test_a_migration_to_itself_must_be_refused_before_anything_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, own = move(tmp_path, "s3=http://s3.lab:80"), server_with("mlflow")
    monkeypatch.setattr(old_server, "administrator", lambda _: own)
    monkeypatch.setattr(Objects, "of", lambda *_: own)
    engine = FakeEngine(found.old.stack, ALL_WELL)
    with pytest.raises(UsageError, match=r"http://s3.lab\) lead to this stack's own S3 server"):
        actions.migrate_store(found, lambda _: engine, FakeScreen(), wait_timeout=5)
    assert "start" not in engine.calls
