"""Copying objects into a bucket that may not be empty."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from mlflow_compose.clients import Objects
from mlflow_compose.data.inside import copy_folder as inside
from mlflow_compose.data.inside import tables
from mlflow_compose.data.migration import copy_artifacts, copy_objects, copy_runs
from mlflow_compose.engines.inside import s3
from mlflow_compose.engines.inside.answer import Failure, serve
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import CopiedObjects
from tests.unit.fakes import FakeEngine, FakeScreen, answered, failed
from tests.unit.samples import SECRETS, stack


@dataclass(frozen=True)
class Bucket(Objects):
    """A bucket in memory."""

    contents: dict[str, bytes] = field(default_factory=dict)

    def sizes(self) -> dict[str, int]:
        return {key: len(content) for key, content in self.contents.items()}

    def chunks(self, key: str) -> Iterator[bytes]:
        yield self.contents[key]

    def upload(self, key: str, file: IO[bytes], content_type: str) -> None:
        del content_type
        self.contents[key] = file.read()

    def content_type(self, key: str) -> str:
        del key
        return ""


def bucket(**contents: bytes) -> Bucket:
    return Bucket(None, "team", ("", ""), "", contents=contents)


@pytest.mark.parametrize("content", [b"other", b"of another size"])
@pytest.mark.parametrize("own", [True, False])
def test_different_objects_must_not_be_overwritten(content: bytes, *, own: bool) -> None:
    source = bucket(a=b"first", b=b"second", c=b"third")
    target = bucket(b=content, c=content, d=b"unrelated")
    before = dict(target.contents)
    with pytest.raises(
        StoreError, match=r"bucket team already holds 2 objects .* first b$"
    ) as caught:
        copy_objects(source, target, FakeScreen(), own=own)
    assert target.contents == before
    assert ("--prune" in str(caught.value.hint)) is own
    assert ("MLFLOW_BUCKET_NAME" in str(caught.value.hint)) is not own


def test_an_interrupted_copy_must_be_resumed() -> None:
    source, target = bucket(a=b"first", b=b"second"), bucket(a=b"first", d=b"unrelated")
    assert copy_objects(source, target, FakeScreen(), own=False) == CopiedObjects(2, 11, 1)
    assert target.contents == {**source.contents, "d": b"unrelated"}


def test_objects_that_a_client_changes_during_the_copy_must_be_copied_again() -> None:
    """With direct access, clients do not know that MLflow is stopped."""
    source, target = bucket(a=b"first"), bucket()

    class Screen(FakeScreen):
        def detail(self, text: str) -> None:
            super().detail(text)
            source.contents["a"] = b"changed since"

    assert copy_objects(source, target, Screen(), own=False).sent == 2
    assert target.contents == {"a": b"changed since"}


# --- from a folder


class Client:
    """boto3's client for a bucket in memory."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def get_paginator(self, operation: str) -> "Client":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **_: str) -> Iterator[Mapping[str, Any]]:
        yield {"Contents": [{"Key": key} for key in self.contents]}
        yield {}

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's
        del Bucket
        return {"Body": Body(self.contents[Key])}

    def upload_file(self, path: str, bucket: str, key: str, **_: object) -> None:
        del bucket
        self.contents[key] = Path(path).read_bytes()


class Body(io.BytesIO):
    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


def filled(folder: Path) -> Path:
    """Make a folder of two artifacts."""
    (folder / "1").mkdir(parents=True)
    (folder / "1/a").write_bytes(b"first")
    (folder / "1/b").write_bytes(b"second")
    return folder


def copied(folder: Path, contents: dict[str, bytes], runs: int = 1) -> CopiedObjects:
    """Copy a folder; the code for the mlflow service runs in this process."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(s3, "client", lambda: Client(contents))
        patch.setattr(inside, "run_count", lambda _: runs)
        patch.setattr(tables, "database_errors", contextlib.nullcontext)
        with contextlib.suppress(SystemExit):
            serve(inside.main, {"folder": str(folder), "bucket": "team", "backend": "sqlite://"})
    engine = FakeEngine(stack(), outcome=Outcome(0, printed.getvalue().encode(), ""))
    return copy_artifacts(engine, stack(ARTIFACT_STORE="local"), FakeScreen())


def test_a_folder_must_not_overwrite_different_objects(tmp_path: Path) -> None:
    contents = {"1/b": b"different"}
    with pytest.raises(StoreError, match=r"already holds 1 object .* first 1/b$"):
        copied(filled(tmp_path), contents)
    assert contents == {"1/b": b"different"}


def test_an_interrupted_copy_of_a_folder_must_be_resumed(tmp_path: Path) -> None:
    contents = {"1/b": b"second", "d": b"unrelated"}
    assert copied(filled(tmp_path), contents) == CopiedObjects(2, 11, 1)
    assert contents == {"1/a": b"first", "1/b": b"second", "d": b"unrelated"}


def test_a_folder_without_artifacts_may_be_missing(tmp_path: Path) -> None:
    """MLflow creates it with the first one."""
    assert copied(tmp_path / "artifacts", {}, runs=0) == CopiedObjects(0, 0, 0)


def test_a_folder_next_to_the_database_may_be_missing(tmp_path: Path) -> None:
    """Runs need not have artifacts, and the disk is there."""
    assert inside.files_of(tmp_path / "artifacts", f"sqlite:///{tmp_path}/mlflow.db") == {}
    (tmp_path / "artifacts").symlink_to(tmp_path / "nowhere")
    with pytest.raises(Failure, match="does not exist"):
        inside.files_of(tmp_path / "artifacts", f"sqlite:///{tmp_path}/mlflow.db")


def test_a_missing_folder_must_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    with pytest.raises(StoreError, match=r"artifacts does not exist, but .* runs \(3\)") as caught:
        copied(folder, {}, runs=3)
    assert "mount its disk" in str(caught.value.hint)
    folder.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"artifacts does not exist$"):
        copied(folder, {}, runs=0)


@pytest.mark.parametrize(
    ("target", "said"),
    [("elsewhere", "1/link is a link to a folder"), ("nowhere", "neither a file nor a folder")],
)
def test_links_that_would_be_left_out_must_be_named(target: str, said: str, tmp_path: Path) -> None:
    folder = filled(tmp_path / "artifacts")
    filled(tmp_path / "elsewhere")
    (folder / "1/link").symlink_to(tmp_path / target)
    contents: dict[str, bytes] = {}
    with pytest.raises(StoreError, match=said):
        copied(folder, contents)
    assert contents == {}


def test_the_folder_itself_and_a_file_may_be_links(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.symlink_to(filled(tmp_path / "disk"))
    (folder / "c").symlink_to(tmp_path / "disk/1/a")
    contents: dict[str, bytes] = {}
    assert copied(folder, contents).count == 3
    assert contents["c"] == b"first"


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let a folder be unreadable, also for root."""
    scandir = os.scandir

    def refused(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)


def test_a_disk_of_artifacts_must_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root may read the folder that each disk has at its top."""
    folder, contents = filled(tmp_path), dict[str, bytes]()
    (folder / "lost+found").mkdir()
    (folder / "1" / "lost+found").mkdir()
    (folder / "1" / "lost+found" / "c").write_bytes(b"third")
    refuse(monkeypatch, folder / "lost+found")
    assert copied(folder, contents).count == 3
    assert contents["1/lost+found/c"] == b"third"


def test_a_subfolder_that_cannot_be_read_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path)
    refuse(monkeypatch, folder / "1")
    with pytest.raises(StoreError, match=r"Permission denied: .*/1'"):
        copied(folder, {})


SMALL = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({}, "rows: Field required"),
        ({"rows": {"runs": "1"}}, "rows.runs: Input should be a valid integer"),
        ({"rows": {}}, "no table runs"),
    ],
)
def test_runs_that_were_not_counted_must_be_an_error(answer: object, problem: str) -> None:
    engine = FakeEngine(stack(), outcome=answered(answer))
    with pytest.raises(StoreError, match=problem):
        copy_runs(engine, stack(**SMALL), FakeScreen())


@pytest.mark.parametrize(
    "outcome",
    [
        answered({"count": 1, "bytes": 2}),
        answered({"count": 1, "bytes": 2, "sent": "1"}),
        failed("no", conflicts="1", first="1/a"),
        failed("no", conflicts=1),
    ],
)
def test_artifacts_that_were_not_counted_must_be_an_error(outcome: Outcome) -> None:
    with pytest.raises(StoreError, match="the artifacts cannot be copied"):
        copy_artifacts(FakeEngine(stack(), outcome=outcome), stack(**SMALL), FakeScreen())


def test_an_object_in_an_error_must_not_contain_a_secret() -> None:
    outcome = failed("no", conflicts=1, first=f"1/{SECRETS['PG_PASSWORD']}")
    with pytest.raises(StoreError, match=r"first 1/\*{8}$"):
        copy_artifacts(FakeEngine(stack(), outcome=outcome), stack(**SMALL), FakeScreen())
