"""Importing: recognising and reading a source, mapping its rows, finding its artifacts."""

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mlflow_compose.clients import Tracking, TrackingError
from mlflow_compose.data.importing import rows
from mlflow_compose.data.importing.artifacts import Artifact, Folders
from mlflow_compose.data.importing.importer import Comparison, _errors, _lines
from mlflow_compose.data.importing.journal import JOURNAL, interrupted, journaled
from mlflow_compose.data.importing.remote import (
    MODULES,
    artifact_root,
    key_of,
    keys_of,
    merge_rows,
    stored_objects,
)
from mlflow_compose.data.importing.report import conflicting, missing_folders
from mlflow_compose.data.importing.server import Reading, connect
from mlflow_compose.data.importing.source import FOLDER, SERVER, SQLITE, Source, recognise
from mlflow_compose.data.importing.staging import copy_database, copy_mlruns, staging
from mlflow_compose.data.importing.transfer import ArtifactIndex, index_artifacts, send, sender
from mlflow_compose.data.inside.main import unmoved as unmoved_versions
from mlflow_compose.data.inside.row_mapping import TRACE_LOCATION, RowMapping, normalize
from mlflow_compose.data.inside.tables import without_computed
from mlflow_compose.errors import FilesError, IncompleteError, SourceError
from mlflow_compose.paths import StackPaths
from mlflow_compose.result import NoProgress
from tests.unit.fakes import FakeEngine, answered, failed
from tests.unit.samples import SECRETS, stack
from tests.unit.test_clients import answers, server

PROXY = "mlflow-artifacts:/"
# Above the largest process id.
DEAD_PID = 4194999


def mlruns(top: Path) -> Path:
    """Create the parts of an mlruns folder that are read."""
    folder = top / "mlruns"
    run = folder / "0" / "r1"
    for path in ("artifacts/plots/a b.png", "tags/artifacts/x", "metrics/loss", "meta.yaml"):
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        (run / path).write_text(path, encoding="utf-8")
    (folder / "0" / "meta.yaml").touch()
    return folder


def database(path: Path, table: str = "experiments") -> Path:
    """Create a SQLite file with one table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} (name TEXT)")
        connection.commit()
    return path


# --- recognising a source


def test_a_folder_must_be_recognised_from_its_parent_too(tmp_path: Path) -> None:
    folder = mlruns(tmp_path)
    for text in (str(folder), str(tmp_path), f"file://{folder}"):
        source = recognise(text, None, {})
        assert (source.kind, source.path) == (FOLDER, folder)


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_artifacts_of_a_database_must_be_searched_beside_it(form: str, tmp_path: Path) -> None:
    file = database(tmp_path / "mlflow.db")
    source = recognise(form.format(file), None, {})
    assert (source.kind, source.path) == (SQLITE, file)
    assert tmp_path / "mlartifacts" in source.artifacts
    assert recognise(str(file), tmp_path, {}).artifacts == (tmp_path,)


@pytest.mark.parametrize(
    ("text", "environ", "login", "token"),
    [
        ("http://lab:5000", {}, None, ""),
        ("http://lab:5000/", {"MLFLOW_TRACKING_TOKEN": "t"}, None, "t"),
        (
            "http://lab:5000",
            {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "secret one"},
            ("ann", "secret one"),
            "",
        ),
        ("http://ann:secret%20one@lab:5000", {}, ("ann", "secret one"), ""),
    ],
)
def test_credentials_must_be_read_like_mlflows_client_does(
    text: str, environ: Mapping[str, str], login: tuple[str, str] | None, token: str
) -> None:
    source = recognise(text, None, environ)
    assert (source.kind, source.url) == (SERVER, "http://lab:5000")
    assert (source.login, source.token) == (login, token)
    assert "secret" not in f"{source!r}{source.name}"


def test_certificates_must_be_verified_like_mlflows_client_does(tmp_path: Path) -> None:
    def verify(**environ: str) -> bool | str:
        return recognise("https://lab", None, environ).verify

    assert verify() is True
    assert verify(MLFLOW_TRACKING_INSECURE_TLS="true") is False
    file = tmp_path / "ca.pem"
    with pytest.raises(SourceError, match=r"CERT_PATH is .*ca\.pem"):
        verify(MLFLOW_TRACKING_SERVER_CERT_PATH=str(file))
    file.touch()
    assert verify(MLFLOW_TRACKING_SERVER_CERT_PATH=str(file)) == str(file)


def test_a_missing_ca_bundle_of_the_environment_must_be_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nope.pem")
    with pytest.raises(SourceError, match=r"nope\.pem"):
        connect(Source(SERVER, "https://127.0.0.1:9", url="https://127.0.0.1:9"))


def test_an_invalid_url_must_be_named() -> None:
    with pytest.raises(SourceError, match="is not a valid URL"):
        recognise("http://[::1", None, {})


def test_a_folder_with_only_a_database_must_name_it(tmp_path: Path) -> None:
    file = database(tmp_path / "mlflow.db")
    (tmp_path / "mlruns" / "1").mkdir(parents=True)
    with pytest.raises(SourceError, match="no experiment") as caught:
        recognise(str(tmp_path), None, {})
    assert caught.value.hint == f"mlflow-compose import {file}"


# --- reading a source


def test_a_folder_must_be_copied_without_artifacts_and_readable_by_all(tmp_path: Path) -> None:
    folder = mlruns(tmp_path)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    with staging(tmp_path) as staged:
        assert stat.S_IMODE(staged.parent.stat().st_mode) == 0o700
        copy_mlruns(recognise(str(folder), None, {}), staged)
        found = {path.relative_to(staged).as_posix(): path for path in staged.rglob("*")}
        assert all(path.stat().st_mode & stat.S_IROTH for path in found.values())
        files = {name for name, path in found.items() if path.is_file()}
    run = "mlruns/0/r1"
    expected = {f"{run}/meta.yaml", f"{run}/metrics/loss", f"{run}/tags/artifacts/x"}
    assert files == {*expected, "mlruns/0/meta.yaml"}
    assert not staged.parent.exists()


@pytest.mark.parametrize(
    "path",
    ["0/r1/metrics/train/loss", ".trash/1/r2/metrics/loss", "0/models/m-1/metrics/loss"],
)
def test_a_duplicate_point_of_a_folder_must_be_imported_once(path: str, tmp_path: Path) -> None:
    """MLflow's own command fails on it, since all columns are the primary key."""
    folder = mlruns(tmp_path)
    for name in (path, "0/r1/tags/metrics/loss"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("17 0.5 1\n17 0.5 1\n17 0.5 2\n", encoding="utf-8")
    target = tmp_path / "target"
    target.mkdir()
    copy_mlruns(recognise(str(folder), None, {}), target)
    assert (target / "mlruns" / path).read_text(encoding="utf-8") == "17 0.5 1\n17 0.5 2\n"
    tag = (target / "mlruns/0/r1/tags/metrics/loss").read_text(encoding="utf-8")
    assert tag.count("17 0.5 1") == 2


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("writer_is", ["connected", "closed"])
def test_a_database_must_be_copied_while_it_is_in_use(
    mode: str, writer_is: str, tmp_path: Path
) -> None:
    folder, target = tmp_path / "source", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    file = database(folder / "mlflow.db")
    with closing(sqlite3.connect(file)) as writer:
        writer.execute(f"PRAGMA journal_mode = {mode}")
        writer.execute("INSERT INTO experiments VALUES ('a')")
        writer.commit()
        if writer_is == "closed":
            writer.close()
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        copy_database(Source(SQLITE, "mlflow.db", file), target)
        after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert after == before
    assert {path.name for path in target.iterdir()} == {"mlflow.db"}
    with closing(sqlite3.connect(target / "mlflow.db")) as copy:
        assert copy.execute("SELECT name FROM experiments").fetchall() == [("a",)]


def test_a_database_without_experiments_must_be_named(tmp_path: Path) -> None:
    source = Source(SQLITE, "x", database(tmp_path / "other.db", "people"))
    (tmp_path / "staged").mkdir()
    with pytest.raises(SourceError, match="has no table experiments"):
        copy_database(source, tmp_path / "staged")


@pytest.mark.parametrize("root", ["a file", "nowhere", "/proc/self"])
def test_a_folder_that_cannot_be_written_must_be_named(tmp_path: Path, root: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(FilesError, match=re.escape(f"{tmp_path / root} cannot be written: ")):
        staging(tmp_path / root).__enter__()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a separate disk of 64 KiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", f"{folder}"]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this user may not mount: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_folder_on_a_read_only_disk_must_be_named(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    expected = f"{small_disk} cannot be written: Read-only file system"
    with pytest.raises(FilesError, match=re.escape(expected)):
        staging(small_disk).__enter__()


@pytest.mark.parametrize("kind", [FOLDER, SQLITE])
def test_a_full_disk_must_not_be_blamed_on_the_source(
    tmp_path: Path, small_disk: Path, kind: str
) -> None:
    folder, file = mlruns(tmp_path), database(tmp_path / "mlflow.db")
    (folder / "0/r1/tags/long").write_bytes(bytes(100_000))
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("CREATE TABLE more AS SELECT zeroblob(100000)")
        writer.commit()
    source = recognise(str(folder if kind == FOLDER else file), None, {})
    copy = copy_mlruns if kind == FOLDER else copy_database
    with pytest.raises(FilesError, match="cannot be written: "), staging(small_disk) as staged:
        copy(source, staged)
    assert list(small_disk.iterdir()) == []


def test_the_folder_of_a_killed_import_must_be_removed_but_not_of_a_running_one(
    tmp_path: Path,
) -> None:
    with staging(tmp_path) as staged:
        dead, living = (
            shutil.copytree(staged.parent, tmp_path / f".import.{pid}.abcdef_1")
            for pid in (DEAD_PID, os.getppid())
        )
    with staging(tmp_path):
        assert not dead.exists()
        assert living.exists()


@pytest.mark.parametrize(
    "name",
    [f".import.{DEAD_PID}.backup", f".import.{DEAD_PID}.archived", f".import.{DEAD_PID}.of.me"],
)
def test_a_folder_that_only_looks_like_an_import_must_be_kept(name: str, tmp_path: Path) -> None:
    """A number may be a date: `.import.2024.backup`."""
    kept = tmp_path / name / "keep.txt"
    kept.parent.mkdir()
    kept.touch()
    with staging(tmp_path):
        pass
    assert kept.exists()


# --- artifacts


@pytest.mark.parametrize(
    "location",
    [
        "mlflow-artifacts:/0/r1/artifacts",
        "mlflow-artifacts://lab:5000/0/r1/artifacts",
        "/home/other/user/mlruns/0/r1/artifacts",
        "./mlruns/0/r1/artifacts",
    ],
)
def test_artifacts_must_be_found_in_a_moved_folder(location: str, tmp_path: Path) -> None:
    found = list(Folders((tmp_path / "none", mlruns(tmp_path))).files(location))
    assert found == [Artifact(location, "plots/a b.png", len("artifacts/plots/a b.png"))]


def test_an_unreadable_folder_must_be_named_and_the_rest_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = mlruns(tmp_path) / "0/r1/artifacts"
    (location / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            # Tests may run as root, which can read everything.
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    index = index_artifacts(Folders(()), {str(location): ["7/r1/artifacts"]}, NoProgress())
    assert list(index.artifacts) == ["7/r1/artifacts/plots/a b.png"]
    (text,) = index.skipped
    assert "closed" in text


def test_links_to_folders_must_be_followed_without_loops(tmp_path: Path) -> None:
    location, model = mlruns(tmp_path) / "0/r1/artifacts", tmp_path / "model"
    model.mkdir()
    (model / "weights").touch()
    (location / "model").symlink_to(model)
    (location / "plots" / "again").symlink_to(location)
    found = {one.path for one in Folders(()).files(str(location))}
    assert found == {"plots/a b.png", "model/weights"}


def test_a_file_url_must_be_read_as_a_path(tmp_path: Path) -> None:
    location = mlruns(tmp_path / "my art") / "0/r1/artifacts"
    (found,) = Folders(()).files(normalize(location.as_uri()))
    assert found.path == "plots/a b.png"


def test_a_location_must_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").touch()
    folders = Folders((mlruns(tmp_path),))
    assert list(folders.files("mlflow-artifacts:/../secrets")) == []


class Hostile:
    """A source that reports any path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, location: str) -> bool:
        return bool(location)

    def files(self, location: str) -> Iterator[Artifact]:
        yield Artifact(location, self._path, 5)

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        raise NotImplementedError(artifact, scratch)


@pytest.mark.parametrize(
    "path",
    [
        "../../../1/r2/artifacts/model.bin",
        "a/../../model.bin",
        "%2e%2e/model.bin",
        "..\\model.bin",
        "/etc/passwd",
        "./model.bin",
        "",
    ],
)
def test_a_path_that_leads_out_of_its_location_must_be_skipped(path: str) -> None:
    """An HTTP client would resolve the dots and overwrite an artifact of another run."""
    index = index_artifacts(Hostile(path), {"/location": ["7/r1/artifacts"]}, NoProgress())
    assert index.artifacts == {}
    assert index.skipped == [f"artifact {path!r} at /location points outside of its folder"]


def test_artifacts_must_be_sent_and_failures_named(tmp_path: Path) -> None:
    location = str(mlruns(tmp_path) / "0/r1/artifacts")
    source, stored = Folders(()), dict[str, bytes]()
    (Path(location) / "bad").touch()

    def put(key: str, path: Path) -> None:
        if key.endswith("bad"):
            raise PermissionError(13, "not for you")
        stored[key] = path.read_bytes()

    index = index_artifacts(source, {location: ["7/r1/artifacts"]}, NoProgress())
    assert index.present({"7/r1/artifacts/bad": 1}) == set()
    problems = send(source, index.artifacts, put, tmp_path, NoProgress())
    assert stored == {"7/r1/artifacts/plots/a b.png": b"artifacts/plots/a b.png"}
    assert problems == ["artifact 7/r1/artifacts/bad: [Errno 13] not for you"]
    assert index.present({"7/r1/artifacts/bad": 0}) == {"7/r1/artifacts/bad"}


@pytest.mark.parametrize("access", ["proxied", "direct"])
def test_an_artifact_whose_name_is_not_utf8_must_be_named(access: str, tmp_path: Path) -> None:
    """Neither HTTP nor S3 has such names; the other artifacts are sent."""
    location = mlruns(tmp_path) / "0/r1/artifacts"
    name = os.fsdecode("café".encode("latin-1"))
    (location / name).touch()
    source = Folders(())
    index = index_artifacts(source, {str(location): ["7"]}, NoProgress())
    only = {f"7/{name}": index.artifacts[f"7/{name}"]}
    put = sender(stack(MLFLOW_ARTIFACT_ACCESS=access))
    assert send(source, only, put, tmp_path, NoProgress()) == [
        f"artifact 7/{name}: its name is not UTF-8"
    ]


@pytest.mark.parametrize(
    ("objects", "partial", "sent"),
    [
        ({}, [], True),
        ({"7/model": 3}, [], False),
        ({"7/model": 2}, [], False),
        ({"7/model": 4}, [], False),
        ({"7/model": 2}, ["7/other"], False),
        ({"7/model": 2}, ["7/model"], True),
        ({"7/model": 4}, ["7/model"], False),
    ],
)
def test_existing_objects_must_not_be_overwritten(
    objects: Mapping[str, int], partial: Collection[str], *, sent: bool
) -> None:
    """A shorter file may be newer, unless a killed import was sending it."""
    index = ArtifactIndex({"7/model": Artifact("/old", "model", 3)})
    assert bool(index.to_send(objects, partial)) == sent


def test_a_different_artifact_must_be_named_with_both_sizes() -> None:
    index = ArtifactIndex({"7/model": Artifact("/old", "model", 3)})
    (text,) = conflicting(["7/model"], index, {"7/model": 2, "7/other": 1})
    assert text.startswith("artifact 7/model: ")
    assert "2 instead of 3 bytes" in text
    assert "delete that one in the stack and run the same command again" in text


def test_an_artifact_must_be_recorded_on_the_disk_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure keeps nothing that is only in memory."""
    paths, synced = StackPaths(tmp_path / ".env"), list[str]()
    with journaled(lambda key, _: synced.append(key), paths, ()) as record:
        monkeypatch.setattr(
            os, "fsync", lambda _: synced.append((paths.state / JOURNAL).read_text())
        )
        record("7/model", tmp_path)
        monkeypatch.undo()
    assert synced == ['["begin", "7/model"]\n', "7/model"]


def test_only_artifacts_that_were_being_sent_must_be_sent_again(tmp_path: Path) -> None:
    """Threads end as if the process was killed: nothing is written after that."""
    paths = StackPaths(tmp_path / ".env")
    assert interrupted(paths) == set()
    file = tmp_path / "model"

    def put(key: str, path: Path) -> None:
        if key.startswith("killed"):
            raise SystemExit(key, path)

    def run_until_killed() -> None:
        with journaled(put, paths, ["earlier\n", "repeated"]) as record:
            for key in ("done", "repeated", "killed \u2028 ü"):
                record(key, file)

    with pytest.raises(SystemExit):
        run_until_killed()
    with (paths.state / JOURNAL).open("a") as journal:
        journal.write('["begin", "cut o')
    left = {"earlier\n", "killed \u2028 ü"}
    assert interrupted(paths) == left
    with journaled(put, paths, left - {"earlier\n"}) as record:
        record("done", file)
    assert interrupted(paths) == left - {"earlier\n"}


def test_an_artifact_that_failed_must_be_sent_again(tmp_path: Path) -> None:
    """The disk of the stack may have been full."""
    paths = StackPaths(tmp_path / ".env")
    source, location = Folders(()), str(mlruns(tmp_path) / "0/r1/artifacts")
    index = index_artifacts(source, {location: ["7/r1/artifacts"]}, NoProgress())

    def put(key: str, path: Path) -> None:
        raise TrackingError(f"no space left for {key} {path}", status=500)

    with journaled(put, paths, ()) as record:
        assert send(source, index.artifacts, record, tmp_path, NoProgress())
    assert interrupted(paths) == set(index.artifacts)


@pytest.mark.parametrize(
    ("access", "root"), [("proxied", PROXY), ("direct", f"s3://{stack().stores.bucket}")]
)
def test_keys_must_be_those_of_the_stacks_server(access: str, root: str) -> None:
    target = stack(MLFLOW_ARTIFACT_ACCESS=access)
    assert artifact_root(target) == root
    location = RowMapping(root, move_all=False).experiment_location(7)
    assert key_of(target, f"{location}/r1/artifacts") == "7/r1/artifacts"
    for other in (PROXY, f"s3://{target.stores.bucket}/"):
        assert key_of(target, f"{other}3/r1/artifacts") == "3/r1/artifacts"
    assert not key_of(target, "s3://other/3/r1/artifacts")


# --- mapping rows


@pytest.mark.parametrize(("are_on", "top"), [(True, "workspaces/vision/"), (False, "")])
def test_a_location_must_name_the_workspace_if_there_are_any(*, are_on: bool, top: str) -> None:
    mapping = RowMapping(PROXY, move_all=False, workspaces=are_on)
    mapping.place(7, "vision")
    assert mapping.experiment_location(7) == f"mlflow-artifacts:/{top}7"
    assert mapping.experiment_location(8) == "mlflow-artifacts:/8"


def changes(*, move_all: bool = False) -> RowMapping:
    found = RowMapping(PROXY, move_all=move_all)
    found.experiments = {1: 7}
    return found


def run_row(uri: str) -> dict[str, Any]:
    return {"run_uuid": "r1", "experiment_id": 1, "artifact_uri": uri}


def version_row(source: str | None) -> dict[str, Any]:
    return {"name": "m", "version": 1, "source": source, "storage_location": source}


def test_a_row_must_get_the_stacks_experiment_and_location() -> None:
    known = changes()
    row = known.row("runs", run_row("file:///old/mlruns/1/r1/artifacts"), 7)
    assert row == {
        "run_uuid": "r1",
        "experiment_id": 7,
        "artifact_uri": "mlflow-artifacts:/7/r1/artifacts",
    }
    moved = known.locations["/old/mlruns/1/r1/artifacts"]
    assert moved == {"r1": "mlflow-artifacts:/7/r1/artifacts"}
    model = {
        "model_id": "m-1",
        "experiment_id": 1,
        "artifact_location": "/old/1/models/m-1/artifacts",
    }
    location = known.row("logged_models", model, 7)["artifact_location"]
    assert location == "mlflow-artifacts:/7/models/m-1/artifacts"
    tag = {"request_id": "tr-1", "key": TRACE_LOCATION, "value": "/old/1/traces/tr-1/artifacts"}
    assert known.row("trace_tags", tag, 7)["value"] == "mlflow-artifacts:/7/traces/tr-1/artifacts"
    assert known.row("trace_tags", {**tag, "key": "other"}, 7)["value"] == tag["value"]


def test_runs_with_the_same_artifacts_must_each_get_them(tmp_path: Path) -> None:
    """A fork of a run refers to the artifacts of the original."""
    shared = str(mlruns(tmp_path) / "0/r1/artifacts")
    known = changes()
    for name in ("r1", "r2"):
        known.row("runs", {**run_row(shared), "run_uuid": name}, 7)
    moved = {name: f"mlflow-artifacts:/7/{name}/artifacts" for name in ("r1", "r2")}
    assert known.locations == {shared: moved}
    prefixes = keys_of(stack(), {shared: [*moved.values()]})
    index = index_artifacts(Folders(()), prefixes, NoProgress())
    assert set(index.artifacts) == {f"7/{name}/artifacts/plots/a b.png" for name in moved}
    for name, location in moved.items():
        version = {"source": f"{shared}/model", "storage_location": None, "run_id": name}
        assert known.row("model_versions", version)["source"] == f"{location}/model"


def test_an_existing_row_must_keep_its_artifact_location() -> None:
    """Its experiment may have been renamed, or the artifact access changed."""
    known = changes()
    here = {"artifact_uri": "s3://mine/3/r1/artifacts"}
    row = known.row("runs", run_row("/old/1/r1/artifacts"), 7, here)
    assert row["artifact_uri"] == here["artifact_uri"]
    version = {"source": "/old/1/r1/artifacts/model", "storage_location": ""}
    assert known.row("model_versions", version)["source"] == "s3://mine/3/r1/artifacts/model"


@pytest.mark.parametrize(
    ("uri", "now"),
    [
        ("s3://other/1/r1/artifacts", "s3://other/1/r1/artifacts"),
        ("dbfs:/1/r1/artifacts", "dbfs:/1/r1/artifacts"),
        ("C:/mlruns/1/r1/artifacts", "mlflow-artifacts:/7/r1/artifacts"),
        ("mlflow-artifacts:/1/r1/artifacts", "mlflow-artifacts:/7/r1/artifacts"),
    ],
)
def test_external_artifacts_must_stay_unless_a_server_serves_them(uri: str, now: str) -> None:
    known = changes()
    assert known.row("runs", run_row(uri), 7)["artifact_uri"] == now
    assert bool(known.external) == (now == uri)
    moved = changes(move_all=True).row("runs", run_row(uri), 7)["artifact_uri"]
    assert moved == "mlflow-artifacts:/7/r1/artifacts"


@pytest.mark.parametrize(
    ("source", "now"),
    [
        ("/old/1/r1/artifacts/model", "mlflow-artifacts:/7/r1/artifacts/model"),
        ("file:///old/1/r1/artifacts", "mlflow-artifacts:/7/r1/artifacts"),
        ("/old/1/r10/artifacts/model", "/old/1/r10/artifacts/model"),
        ("models:/m-1", "models:/m-1"),
        ("", ""),
        (None, None),
    ],
)
def test_a_model_version_must_follow_its_run(source: str | None, now: str | None) -> None:
    known = changes()
    known.row("runs", run_row("/old/1/r1/artifacts"), 7)
    found = known.row("model_versions", version_row(source))
    assert (found["source"], found["storage_location"]) == (now, now)


@pytest.mark.parametrize(
    ("source", "move_all", "unmoved"),
    [
        ("/elsewhere/models/m1", False, True),
        ("file:///elsewhere/models/m1", False, True),
        ("mlflow-artifacts:/models/m1", False, True),
        ("s3://other/models/m1", False, False),
        ("s3://other/models/m1", True, True),
        ("models:/m-1", True, False),
        ("runs:/r1/model", True, False),
        ("/old/1/r1/artifacts/model", False, False),
        ("dummy-source", False, False),
        ("prompt-template", True, False),
        (None, False, False),
    ],
)
def test_a_model_version_without_a_run_must_be_named(
    source: str | None, *, move_all: bool, unmoved: bool
) -> None:
    """The stack refers to a place that is gone once the source was deleted."""
    known = changes(move_all=move_all)
    known.row("runs", run_row("/old/1/r1/artifacts"), 7)
    for _ in ("import", "compare"):
        known.row("model_versions", version_row(source))
    texts = unmoved_versions(known)
    assert len(texts) == unmoved
    assert all("version 1 of model m" in text and str(source) in text for text in texts)


def test_a_deleted_model_version_must_not_be_named() -> None:
    """MLflow overwrites its source when it deletes it."""
    known = changes()
    known.row(
        "model_versions",
        {**version_row("REDACTED-SOURCE-PATH"), "current_stage": "Deleted_Internal"},
    )
    assert known.unmoved == {}


def test_a_value_that_postgresql_rejects_must_be_truncated_and_counted() -> None:
    def column(name: str, length: int | None) -> SimpleNamespace:
        return SimpleNamespace(name=name, type=SimpleNamespace(length=length))

    table = SimpleNamespace(name="tags", columns=[column("value", 3), column("key", None)])
    known = changes()
    assert known.fit(table, {"value": "abcd", "key": "a\0b"}) == {"value": "abc", "key": "ab"}
    assert known.fit(table, {"value": "abc", "key": "k"}) == {"value": "abc", "key": "k"}
    assert known.truncated == {"tags.value": 1, "tags.key": 1}


def test_computed_columns_must_not_be_inserted() -> None:
    columns = [SimpleNamespace(name=name, computed=name == "c" or None) for name in "abc"]
    table = SimpleNamespace(columns=columns)
    assert without_computed(table, [{"a": 1, "b": 2, "c": 3}]) == [{"a": 1, "b": 2}]


# --- reading a server


@pytest.mark.parametrize(
    ("reported", "value"), [(0.1, 0.1), ("NaN", 0), ("Infinity", 1.7976931348623157e308)]
)
def test_a_point_must_be_stored_like_mlflow_does(reported: object, value: float) -> None:
    found = rows.point({"key": "loss", "value": reported, "timestamp": "17", "step": "3"})
    assert found.pop("is_nan") == (reported == "NaN")
    assert found == {"key": "loss", "value": value, "timestamp": 17, "step": 3}


def test_a_dataset_of_two_runs_must_be_one_with_two_inputs() -> None:
    dataset = {"name": "leaves", "digest": "d1", "source_type": "local", "source": "{}"}
    entity = {"inputs": {"dataset_inputs": [{"dataset": dataset}]}}
    found = [row for run in ("r1", "r2") for row in rows.inputs(entity, run, 7)]
    sets = [row for table, row in found if table == "datasets"]
    made = [row for table, row in found if table == "inputs"]
    assert sets[0] == sets[1]
    assert {row["destination_id"] for row in made} == {"r1", "r2"}
    # The column has no default.
    assert all(row["step"] == 0 for row in made)


PAGES: Mapping[str, list[dict[str, Any]]] = {
    "experiments/search": [
        {"experiment_id": str(number), "name": f"e{number}"} for number in (0, 1)
    ],
    "runs/search": [
        {
            "info": {
                "run_id": f"r{number}",
                "experiment_id": "0",
                "artifact_uri": f"s3://x/{number}",
            },
            "data": {"metrics": [{"key": "loss", "value": 1.5, "step": "1", "timestamp": "2"}]},
        }
        for number in (1, 2)
    ],
    "metrics/get-history": [
        {"key": "loss", "value": step + 0.5, "step": str(step), "timestamp": "2"} for step in (0, 1)
    ],
}
FIELDS = {
    "experiments/search": "experiments",
    "runs/search": "runs",
    "metrics/get-history": "metrics",
}


def one_a_page(request: BaseHTTPRequestHandler) -> None:
    """Answer like MLflow 2 with one item per page and without logged models."""
    url = urlsplit(request.path)
    endpoint = url.path.removeprefix("/api/2.0/mlflow/")
    given = {name: values[0] for name, values in parse_qs(url.query).items()}
    given |= json.loads(getattr(request, "body", b"") or b"{}")
    if endpoint not in PAGES:
        answers(200 if endpoint.endswith("models/search") else 404, "{}")(request)
        return
    token = int(given.get("page_token", 0))
    answer: dict[str, Any] = {FIELDS[endpoint]: [PAGES[endpoint][token]]}
    if token + 1 < len(PAGES[endpoint]):
        answer["next_page_token"] = str(token + 1)
    answers(200, json.dumps(answer))(request)


def test_every_page_of_a_server_must_be_read() -> None:
    file = StringIO()
    with server(one_a_page) as url:
        reading = Reading(Tracking(url), file, NoProgress())
        reading.read_all()
    found = [json.loads(line) for line in file.getvalue().splitlines()]
    names = [row["name"] for table, row in found if table == "experiments"]
    assert names == ["e0", "e1"]
    assert {row["run_uuid"] for table, row in found if table == "runs"} == {"r1", "r2"}
    steps = [row["step"] for table, row in found if table == "metrics" and row["run_uuid"] == "r1"]
    assert set(steps) == {0, 1}
    owners = {location: found[:2] for location, found in reading.owners.items()}
    assert owners == {"s3://x/1": ("run", "r1"), "s3://x/2": ("run", "r2")}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "{}", "rejects the login"),
        (403, "{}", "rejects the login"),
        (404, "<h1>a shop</h1>", "does not respond like an MLflow server"),
        (200, "<h1>a shop</h1>", "does not respond like an MLflow server"),
    ],
)
def test_a_server_that_is_not_mlflow_must_be_named(status: int, body: str, words: str) -> None:
    with server(answers(status, body)) as url, pytest.raises(SourceError, match=words) as caught:
        connect(Source(SERVER, url, url=url))
    assert caught.value.hint


# --- the result


def test_answers_from_inside_must_be_combined() -> None:
    source = Source(FOLDER, "mlruns")
    counts = {
        "source": {"runs": 2},
        "before": {"runs": 1},
        "after": {"runs": 2},
        "lost": {"damaged entries": ["y"]},
    }
    items = [{"location": ["/old", ["mlflow-artifacts:/7"]]}, {"skipped": SECRETS["PG_PASSWORD"]}]
    outcome = answered(counts, *items)
    merged = merge_rows(FakeEngine(stack(), outcome=outcome), source, Path("/given"), NoProgress())
    assert merged.locations == {"/old": ["mlflow-artifacts:/7"]}
    assert merged.skipped == ["********"]
    assert (merged.source, merged.before, merged.after) == ({"runs": 2}, {"runs": 1}, {"runs": 2})
    outcome = answered({}, {"objects": [["7/a", 1]]}, {"objects": [["7/b", 2]]})
    found = stored_objects(FakeEngine(stack(), outcome=outcome), ["7/r1"], NoProgress())
    assert found == {"7/a": 1, "7/b": 2}


def test_rows_that_were_not_counted_in_the_stack_must_be_missing() -> None:
    outcome = answered({"source": {"runs": 2}, "before": {}, "after": {}, "lost": {}})
    engine = FakeEngine(stack(), outcome=outcome)
    merged = merge_rows(engine, Source(FOLDER, "mlruns"), Path("/given"), NoProgress())
    assert (merged.before, merged.after) == ({"runs": 0}, {"runs": 0})


@pytest.mark.parametrize(
    ("done", "item"),
    [
        ({"source": {"runs": 2}}, {"location": ["/old", "/new"]}),
        ({"source": {}, "before": {}, "after": {}, "lost": {}}, {"location": ["/old"]}),
        ({"source": {}, "before": {}, "after": {}, "lost": {}}, ["/old", "/new"]),
        ({"source": {"runs": "2"}, "before": {}, "after": {}, "lost": {}}, {"skipped": "x"}),
    ],
)
def test_a_merge_with_another_answer_must_be_an_error(done: object, item: object) -> None:
    engine = FakeEngine(stack(), outcome=answered(done, item))
    with pytest.raises(SourceError, match="malformed answer"):
        merge_rows(engine, Source(FOLDER, "mlruns"), Path("/given"), NoProgress())


@pytest.mark.parametrize("item", [{"objects": [["7/a", "1"]]}, {"objects": [["7/a"]]}, 1])
def test_a_list_of_objects_with_another_answer_must_be_an_error(item: object) -> None:
    engine = FakeEngine(stack(), outcome=answered({}, item))
    with pytest.raises(SourceError, match="malformed answer"):
        stored_objects(engine, ["7/r1"], NoProgress())


def test_a_failure_inside_must_be_reported_with_a_hint() -> None:
    engine = FakeEngine(stack(), outcome=failed("mlflow db upgrade failed: newer"))
    with pytest.raises(SourceError, match="newer") as caught:
        stored_objects(engine, ["7/r1"], NoProgress())
    assert "mlflow-compose verify" in (caught.value.hint or "")
    damaged = FakeEngine(stack(), outcome=failed("these files are damaged: x", damaged=True))
    with pytest.raises(SourceError) as caught:
        stored_objects(damaged, ["7/r1"], NoProgress())
    assert "repair these files" in (caught.value.hint or "")


def test_missing_rows_must_be_an_error_that_names_them() -> None:
    whole = Comparison({"runs": 2, "tags": 3}, {"runs": 1, "tags": 0}, {"runs": 2, "tags": 3}, ())
    assert _errors(whole) == ()
    assert _lines(whole)[1].split() == ["runs", "2", "1", "2"]
    lost = Comparison(
        {"runs": 2, "tags": 3}, {"runs": 0, "tags": 0}, {"runs": 2, "tags": 1}, ("x",)
    )
    (error,) = _errors(lost)
    assert isinstance(error, IncompleteError)
    assert "2 tags" in error.message
    assert _lines(lost)[-1] == "  x"
    (damaged,) = _errors(replace(whole, lost={"damaged entries": 2}))
    assert damaged.message == "not in the stack: 2 damaged entries"
    (single,) = _errors(replace(whole, lost={"damaged entries": 1}, after={"runs": 1, "tags": 3}))
    assert single.message == "not in the stack: 1 run, 1 damaged entry"
    (unread,) = _errors(replace(whole, unread=1))
    assert "artifacts of 1 run or model" in unread.message


def test_an_experiment_without_its_folder_must_be_named(tmp_path: Path) -> None:
    """A single run without a folder may just have no artifacts."""
    here = mlruns(tmp_path) / "0"
    runs = [*(f"{here}/{name}/artifacts" for name in ("r1", "r2")), "/gone/7/r3/artifacts"]
    locations = {location: [location] for location in (*runs, f"{PROXY}8/r4/artifacts")}
    (text,) = missing_folders(
        locations, index_artifacts(Folders((tmp_path,)), locations, NoProgress())
    )
    assert "the folder /gone/7 does not exist" in text


def test_modules_must_be_sent_after_those_that_they_import() -> None:
    sent: list[str] = []
    for module in MODULES:
        text = Path(module.__file__ or "").read_text(encoding="utf-8")
        names = {other.__name__.rpartition(".")[2] for other in MODULES}
        for name in names - set(sent):
            assert f"inside.{name} import" not in text, f"{module.__name__} before {name}"
        sent.append(module.__name__.rpartition(".")[2])
