"""`verify` removes what it created, and nothing else that a server may name."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlflow_compose.checks.probe import artifacts, database, main
from mlflow_compose.checks.probe.links import BrokenLink, Request

NAME, OURS, THEIRS = "mlflow-compose-verify-x", f"7/{'a' * 32}", f"3/{'b' * 32}"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an artifacts folder with a proof's experiment 7 and another experiment 3."""
    rows = sqlite3.connect(":memory:")
    rows.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
    rows.execute("CREATE TABLE runs (run_uuid TEXT, experiment_id INTEGER)")
    rows.executemany("INSERT INTO experiments VALUES (?, ?)", [(7, NAME), (3, "thesis")])
    rows.executemany("INSERT INTO runs VALUES (?, ?)", [("a" * 32, 7), ("b" * 32, 3)])

    @contextmanager
    def connect(_: Request) -> Iterator[sqlite3.Connection]:
        yield rows

    monkeypatch.setattr(database, "connect", connect)
    monkeypatch.setattr(database, "clean", lambda _: None)
    monkeypatch.setitem(sys.modules, "sqlalchemy", SimpleNamespace(text=str))
    for name in (f"{OURS}/artifacts/notes/small.txt", f"{THEIRS}/artifacts/model.bin"):
        write(tmp_path / "artifacts" / name)
    return tmp_path / "artifacts"


def write(path: Path) -> Path:
    """Write a file and its parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("result", encoding="utf-8")
    return path


def clean(folder: Path, *keys: str, name: str = NAME) -> object:
    """Clean up as `verify` does; return the cause of a failure."""
    objects = dict.fromkeys(keys, 1)
    request = {"folder": str(folder), "prefix": "", "name": name, "objects": objects}
    return main.outcome(main.clean, request)["cause"]


def test_the_files_of_the_proof_must_be_removed_with_their_folders(store: Path) -> None:
    key = f"{OURS}/artifacts/notes/small.txt"
    assert clean(store, key, f"{OURS}/artifacts/never-stored") == ""
    assert [path.name for path in store.iterdir()] == ["3"]


@pytest.mark.parametrize(
    "key",
    [
        "../victim/artifacts/notes/small.txt",
        f"{THEIRS}/artifacts/model.bin",
        f"7/{'b' * 32}/artifacts/model.bin",
    ],
)
@pytest.mark.parametrize("name", [NAME, "mlflow-compose-verify-of-another-server", ""])
def test_a_key_that_a_server_made_up_must_remove_nothing(store: Path, name: str, key: str) -> None:
    victim = write(store.parent / "victim/artifacts/notes/small.txt")
    before = sorted(store.rglob("*"))
    assert clean(store, key, name=name) == ""
    assert sorted(store.rglob("*")) == before
    assert victim.exists()


@pytest.mark.usefixtures("store")
def test_a_key_that_a_server_made_up_must_not_be_removed_from_a_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    removed: list[str] = []

    def delete_object(*, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's
        removed.append(f"{Bucket}/{Key}")

    monkeypatch.setattr(artifacts, "client", lambda: SimpleNamespace(delete_object=delete_object))
    keys = [f"{place}/artifacts/model.bin" for place in (THEIRS, OURS, "../x")]
    objects = dict.fromkeys(keys, 1)
    request = {"folder": "", "prefix": "", "bucket": "b", "name": NAME, "objects": objects}
    assert main.outcome(main.clean, request)["cause"] == ""
    assert removed == [f"b/{OURS}/artifacts/model.bin"]


@pytest.mark.parametrize("way", ["dots", "link", "absolute"])
def test_a_file_outside_the_folder_must_not_be_removed(tmp_path: Path, way: str) -> None:
    folder, victim = tmp_path / "artifacts", write(tmp_path / "victim/file")
    folder.mkdir()
    (folder / "link").symlink_to(victim.parent)
    keys = {"dots": "7/../../victim/file", "link": "link/file", "absolute": str(victim)}
    with pytest.raises(BrokenLink, match="is outside the artifact folder"):
        artifacts.remove_file(folder, keys[way])
    assert victim.exists()
