"""Snapshots on disk: names, contents, what is counted, and what has to change."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.clients import Listed
from mlflow_compose.data.backup import (
    Damaged,
    Snapshot,
    check,
    check_name,
    default_name,
    find,
    remove,
    snapshots,
)
from mlflow_compose.data.backup.client import LOAD
from mlflow_compose.data.backup.contents import Contents
from mlflow_compose.data.backup.fits import numbers
from mlflow_compose.data.backup.manifest import Database, Manifest, Objects
from mlflow_compose.data.backup.objects import Stored, copy_objects, read_list
from mlflow_compose.data.backup.own import own
from mlflow_compose.data.backup.put import OF_MLFLOW, difference
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.rows import RowCounter
from mlflow_compose.data.backup.snapshot import describe, latest, new, partials
from mlflow_compose.errors import SnapshotError, UsageError
from mlflow_compose.result import NoProgress
from tests.unit.fakes import FakeEngine, answered
from tests.unit.samples import stack

NOW = datetime(2026, 11, 28, 23, 40, 12, tzinfo=UTC)
DUMPED = rb"""--
SET row_security = off;
COPY public.alembic_version (version_num) FROM stdin;
dc11669786a5
\.


COPY public.tags (key, value, run_uuid) FROM stdin;
a	\\.	1
b	COPY x (y) FROM stdin;	1
c	two\nlines	2
\.


COPY "Odd Schema"."order" ("from") FROM stdin;
\.
"""


class Memory:
    """Objects in memory."""

    kind = "s3"

    def __init__(self, **found: bytes) -> None:
        self.found = found
        self.read: list[str] = []

    def listed(self) -> Sequence[Listed]:
        return [Listed(key, len(text), f"mark of {text!r}") for key, text in self.found.items()]

    def copied(self, wanted: Sequence[Listed], contents: Contents) -> Iterator[Stored]:
        for each in wanted:
            self.read.append(each.key)
            sha256, size = contents.add([self.found[each.key]])
            yield Stored(each.key, size, sha256, "", each.mark)


def manifest(name: str, *, created: datetime = NOW, objects: Objects | None = None) -> Manifest:
    """Return a manifest without a database's rows."""
    database = Database("sqlite", "database.sqlite", 4, "", "3", "", {}, {"runs": 1})
    none = Objects("s3", "objects.jsonl", "", 0, 0)
    when = created.isoformat()
    return Manifest(1, name, when, "s", "id", "local", "3.17.2", {}, {}, database, objects or none)


def make(top: Path, name: str, source: Memory | None = None, created: datetime = NOW) -> Snapshot:
    """Take a snapshot of objects in memory."""
    previous = latest(top, "id")
    with new(top, name, "id") as folder:
        copied = copy_objects(source or Memory(), folder, previous, NoProgress().detail, Rate())
        found = manifest(name, created=created, objects=copied.objects)
        (folder / "database.sqlite").write_bytes(b"rows")
        describe(folder, found)
    return find(top, name)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_rows_of_a_dump_must_be_counted_whatever_the_parts(size: int) -> None:
    counter = RowCounter()
    for start in range(0, len(DUMPED), size):
        counter.read(DUMPED[start : start + size])
    assert dict(counter.rows) == {"alembic_version": 1, "tags": 3, "order": 0}
    assert counter.schema == {"alembic_version": "dc11669786a5"}


def test_rows_must_be_counted_whatever_the_names_of_the_schema_and_of_the_table() -> None:
    counter = RowCounter()
    counter.read(b'COPY "a ""quoted"" schema"."its ""table""" (a) FROM stdin;\n1\n\\.\n')
    counter.read(b'COPY """" (a) FROM stdin;\n\\.\n')
    assert dict(counter.rows) == {'its "table"': 1, '"': 0}


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "-o", "a b", "x" * 101, "ü"])
def test_a_name_must_not_lead_elsewhere(name: str) -> None:
    with pytest.raises(UsageError, match="must be letters"):
        check_name(name)


def test_default_names_must_sort_by_age() -> None:
    names = [default_name(NOW + timedelta(minutes=minutes)) for minutes in (0, 1, 60, 24 * 60)]
    assert names == sorted(names)
    assert check_name(names[0]) == "2026-11-28T23-40-12Z"


def test_an_interrupted_snapshot_must_not_be_there(tmp_path: Path) -> None:
    top = tmp_path / "backups"
    with pytest.raises(KeyboardInterrupt), new(top, "one", "id"):
        raise KeyboardInterrupt
    assert [*top.iterdir()] == []
    # Killed: nothing cleans up, but the next one with this name does.
    (top / ".partial-id.one").mkdir()
    assert [type(each) for each in snapshots(top)] == [Damaged]
    assert latest(top, "id") is None
    assert partials(top) == (top / ".partial-id.one",)
    assert make(top, "two").name == "two"
    assert partials(top) == ()


def test_a_name_must_not_be_used_twice(tmp_path: Path) -> None:
    before = make(tmp_path, "one", Memory(a=b"1"))
    with pytest.raises(UsageError, match="already"):
        make(tmp_path, "one")
    check(before, NoProgress())


def test_only_new_contents_must_be_read_and_stored(tmp_path: Path) -> None:
    first = make(tmp_path, "one", Memory(a=b"same", b=b"old", c=b"gone"))
    source = Memory(a=b"same", b=b"new", d=b"same")
    second = make(tmp_path, "two", source, NOW + timedelta(hours=1))
    assert source.read == ["b", "d"]
    inodes = [
        {path.name: path.stat().st_ino for path in each.folder.glob("objects/*/*")}
        for each in (first, second)
    ]
    assert len(inodes[1]) == 2
    shared = set(inodes[0].items()) & set(inodes[1].items())
    assert len(shared) == 1
    remove(first.folder)
    assert check(second, NoProgress()).objects == 3


def test_the_latest_snapshot_must_be_one_of_the_same_stack(tmp_path: Path) -> None:
    make(tmp_path, "b")
    make(tmp_path, "a", created=NOW + timedelta(days=1))
    found = latest(tmp_path, "id")
    assert found is not None
    assert found.name == "a"
    assert latest(tmp_path, "other") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 1}', b"\xff"])
def test_a_damaged_manifest_must_be_listed_as_such(tmp_path: Path, damage: bytes) -> None:
    found = make(tmp_path, "one")
    (found.folder / "manifest.json").write_bytes(damage)
    (listed,) = snapshots(tmp_path)
    assert isinstance(listed, Damaged)
    with pytest.raises(SnapshotError, match="damaged"):
        find(tmp_path, "one")


def test_a_newer_format_must_be_refused(tmp_path: Path) -> None:
    found = make(tmp_path, "one")
    text = json.dumps({"version": 2, "other": "format"})
    (found.folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(SnapshotError, match="newer version"):
        find(tmp_path, "one")


@pytest.mark.parametrize(
    "name", ["database.sqlite", "objects.jsonl", "manifest.json", "SHA256SUMS"]
)
def test_every_changed_file_must_be_found(tmp_path: Path, name: str) -> None:
    found = make(tmp_path, "one", Memory(a=b"1"))
    check(found, NoProgress())
    text = (found.folder / name).read_bytes()
    (found.folder / name).write_bytes(text.replace(b"a", b"b", 1) + b" ")
    with pytest.raises(SnapshotError, match="damaged"):
        check(find(tmp_path, "one"), NoProgress())


def test_files_elsewhere_must_not_be_read(tmp_path: Path) -> None:
    """A snapshot may come from anywhere."""
    found = make(tmp_path, "one", Memory(a=b"1"))
    database = replace(found.manifest.database, file="../../etc/passwd")
    other = replace(found, manifest=replace(found.manifest, database=database))
    with pytest.raises(SnapshotError, match="damaged"):
        check(other, NoProgress())


def stored(key: str, text: str) -> Stored:
    return Stored(key, len(text), f"sha of {text}", "", f"mark of {text}")


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4),
       st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4),
       st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), max_size=4))  # fmt: skip
def test_what_has_to_change_must_make_both_equal(
    now: dict[str, str], wanted: dict[str, str], known: dict[str, str]
) -> None:
    """Whatever was known of the stack, for example because a restore was interrupted."""
    listed = [Listed(key, len(text), f"mark of {text}") for key, text in now.items()]
    change = difference(
        listed,
        {key: stored(key, text) for key, text in wanted.items()},
        {key: stored(key, text) for key, text in known.items()},
    )
    after = {key: text for key, text in now.items() if key not in change.deleted}
    after |= {each.key: wanted[each.key] for each in change.put}
    assert after == wanted
    if known == now:
        assert {each.key for each in change.put} == {
            key for key in wanted if now.get(key) != wanted[key]
        }


def test_only_keys_of_mlflow_must_be_deleted_from_a_shared_bucket() -> None:
    run = "0123456789abcdef" * 2
    keys = [f"1/{run}/artifacts/a", "12/models/m-1/artifacts/b", "3/traces/tr-1/artifacts/c"]
    own = [*keys, *(f"workspaces/vision/{key}" for key in keys)]
    others = ["a.csv", "1/a", f"x/{run}/a", "files/1/models/a", f"1/{run[:-1]}/a", f"{run}/a"]
    others += ["workspaces/a.csv", f"workspaces/1/{run[:-1]}/a", f"x/workspaces/vision/{keys[0]}"]
    assert [key for key in [*own, *others] if OF_MLFLOW.match(key)] == own


def test_versions_must_be_compared_as_numbers() -> None:
    assert numbers("3.9.0") < numbers("3.10.0") < numbers("3.17.2")
    assert numbers("18.4 (Debian 18.4-1.pgdg13+1)")[0] == 18


FAKE = """#!/bin/sh
cat
"""
BROKEN = """#!/bin/sh
printf 'CREATE TABLE a ();\n'
kill -9 $$
"""


@pytest.mark.parametrize(("restore", "commits"), [(FAKE, True), (BROKEN, False)])
def test_a_dump_that_breaks_off_must_not_be_committed(
    tmp_path: Path, restore: str, *, commits: bool
) -> None:
    for name, text in {"pg_restore": restore, "psql": FAKE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", LOAD, "sh", "BEGIN;"],
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        input="SET transaction_timeout = 0;\nCREATE TABLE a ();\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("BEGIN;\nCREATE TABLE a ();\n")
    assert ("COMMIT;" in done.stdout) is commits


def test_tables_with_ordinary_names_must_only_be_taken_for_mlflows_beside_its_own() -> None:
    found = own(FakeEngine(stack()), ["users", "roles", "orders"])
    assert found == []
    found = own(FakeEngine(stack()), ["alembic_version", "runs", "users"])
    assert found == ["alembic_version", "runs"]
    found = own(FakeEngine(stack()), ["alembic_version", "alembic_version_auth", "runs", "users"])
    assert found == ["alembic_version", "alembic_version_auth", "runs", "users"]


def test_tables_of_a_newer_login_must_not_be_taken_for_an_older_ones() -> None:
    engine = FakeEngine(stack(MLFLOW_VERSION="3.10.1"), outcome=answered(["runs", "users"]))
    found = own(engine, ["alembic_version", "alembic_version_auth", "roles", "runs", "users"])
    assert found == ["alembic_version", "alembic_version_auth", "runs", "users"]


def test_a_content_that_is_damaged_must_not_be_linked(tmp_path: Path) -> None:
    first = make(tmp_path, "one", Memory(a=b"same"))
    (path,) = first.folder.glob("objects/*/*")
    path.chmod(0o600)
    path.write_bytes(b"SAME")
    # Read again, because it has another key: the good copy is kept.
    second = make(tmp_path, "two", Memory(b=b"same"), NOW + timedelta(hours=1))
    check(second, NoProgress())


def test_snapshots_that_another_stack_is_taking_must_be_left_alone(tmp_path: Path) -> None:
    with new(tmp_path, "mine", "first") as partial:
        with new(tmp_path, "other", "second"):
            pass
        assert partial.is_dir()


def test_what_others_delete_at_the_same_time_must_not_be_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands of other stacks delete what is half-deleted, too."""
    delete = shutil.rmtree

    def delete_late(folder: Path) -> None:
        delete(folder)
        delete(folder)

    (tmp_path / ".partial-removed.one").mkdir()
    monkeypatch.setattr(shutil, "rmtree", delete_late)
    with new(tmp_path, "mine", "id"):
        pass
    assert partials(tmp_path) == ()
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize("created", ["yesterday", "", "2026-11-28"])
def test_a_strange_time_must_not_break_the_list(tmp_path: Path, created: str) -> None:
    make(tmp_path, "good")
    found = make(tmp_path, "strange")
    text = replace(found.manifest, created=created).text
    (found.folder / "manifest.json").write_text(text, encoding="utf-8")
    listed = {each.name for each in snapshots(tmp_path)}
    assert listed == {"good", "strange"}
    assert latest(tmp_path, "id") is not None


def test_a_list_in_another_format_must_be_refused(tmp_path: Path) -> None:
    file = tmp_path / "objects.jsonl"
    file.write_text(json.dumps({"key": "a", "other": 1}), encoding="utf-8")
    with pytest.raises(SnapshotError, match="damaged"):
        [*read_list(file)]
