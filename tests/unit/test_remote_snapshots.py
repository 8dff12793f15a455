"""Snapshots in a bucket of another S3 server: a real one, rclone."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.actions.elsewhere import check_elsewhere, remote_of, remote_snapshot
from mlflow_compose.clients import Objects
from mlflow_compose.data.backup import Snapshot, check
from mlflow_compose.data.backup.remote import Remote, fetch, send
from mlflow_compose.errors import SnapshotError, UsageError
from mlflow_compose.result import NoProgress
from mlflow_compose.stack import Stack
from mlflow_compose.targets import LOCAL
from tests.unit.s3 import KEY, running_s3
from tests.unit.samples import built, settings
from tests.unit.test_archives import files
from tests.unit.test_snapshots import Memory, make

CONTENTS = {"a": b"one", "b": b"two", "same": b"one", "large": bytes(6_000_000)}
FILES, FILE_SIZE = 8, 24_000_000
# Prints by how many bytes the peak of memory grows while all files of a folder are stored at once.
STORING = """
import pathlib, resource, sys
from mlflow_compose.clients import Objects
from mlflow_compose.data.parallel import in_parallel

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

endpoint, bucket, folder, *key = sys.argv[1:]
target = Objects(endpoint, bucket, tuple(key), "us-east-1")
target.check()
before = peak()
paths = list(pathlib.Path(folder).iterdir())
list(in_parallel(lambda path: target.upload_file(path.name, path, "text/plain"), paths))
print(peak() - before)
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rclone is stopped with a signal")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """Return a bucket of a running S3 server."""
    with running_s3(tmp_path_factory.mktemp("s3"), "backups", "mlflow") as bucket:
        yield bucket


@pytest.fixture
def remote(server: Objects) -> Remote:
    return Remote(server, f"{secrets.token_hex(4)}/")


@pytest.fixture
def taken(tmp_path: Path) -> Snapshot:
    return make(tmp_path / "backups", "taken", Memory(**CONTENTS))


def keys(remote: Remote) -> set[str]:
    return {each.key.removeprefix(remote.prefix) for each in remote.bucket.listed(remote.prefix)}


def test_a_snapshot_must_come_back_as_it_was(
    remote: Remote, taken: Snapshot, tmp_path: Path
) -> None:
    send(taken, remote, NoProgress())
    found = fetch(remote, "taken", tmp_path / "new", NoProgress())
    assert files(found.folder) == files(taken.folder)
    check(found, NoProgress())
    assert fetch(remote, "taken", tmp_path / "new", NoProgress()) == found


def test_contents_must_be_sent_once(remote: Remote, taken: Snapshot) -> None:
    assert send(taken, remote, NoProgress()).contents == 3
    more = make(taken.folder.parent, "more", Memory(**CONTENTS, new=b"new"))
    sent = send(more, remote, NoProgress())
    assert (sent.contents, sent.bytes) == (1, 3)
    with pytest.raises(UsageError, match="already"):
        send(more, remote, NoProgress())


def test_an_interrupted_one_must_not_look_complete(
    remote: Remote, taken: Snapshot, tmp_path: Path
) -> None:
    (taken.folder / "objects.jsonl").rename(tmp_path / "objects.jsonl")
    with pytest.raises(FileNotFoundError):
        send(taken, remote, NoProgress())
    assert keys(remote) == set()
    (tmp_path / "objects.jsonl").rename(taken.folder / "objects.jsonl")
    (taken.folder / "database.sqlite").unlink()
    with pytest.raises(FileNotFoundError):
        send(taken, remote, NoProgress())
    assert any(key.startswith("objects/") for key in keys(remote))
    with pytest.raises(SnapshotError, match="no complete snapshot"):
        fetch(remote, "taken", tmp_path / "new", NoProgress())
    (taken.folder / "database.sqlite").write_bytes(b"rows")
    assert send(taken, remote, NoProgress()).contents == 0
    check(fetch(remote, "taken", tmp_path / "new", NoProgress()), NoProgress())


def test_a_changed_content_must_not_be_fetched(
    remote: Remote, taken: Snapshot, tmp_path: Path
) -> None:
    send(taken, remote, NoProgress())
    content = next(key for key in keys(remote) if key.startswith("objects/"))
    remote.bucket.put(remote.key(content), b"changed")
    with pytest.raises(SnapshotError, match="damaged"):
        fetch(remote, "taken", tmp_path / "new", NoProgress())
    assert not [*(tmp_path / "new").iterdir()]


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "objects/x"])  # noqa: S108 - a name
def test_a_manifest_must_not_name_other_files(
    remote: Remote, taken: Snapshot, tmp_path: Path, name: str
) -> None:
    send(taken, remote, NoProgress())
    changed = replace(taken.manifest, database=replace(taken.manifest.database, file=name))
    remote.bucket.put(remote.key("taken", "manifest.json"), changed.text.encode())
    with pytest.raises(SnapshotError, match="damaged"):
        fetch(remote, "taken", tmp_path / "new", NoProgress())
    assert not (tmp_path / "new").exists()


def stack_on(bucket: Objects, name: str) -> Stack:
    """Return a stack whose external S3 server is this one, under another address."""
    own = settings(
        STACK_ENGINE="local",
        MINIO_HOST="localhost",
        MINIO_PORT=str(bucket.endpoint).rpartition(":")[2],
        MINIO_ACCESS_KEY=KEY[0],
        MINIO_SECRET_ACCESS_KEY=KEY[1],
        MLFLOW_BUCKET_NAME=name,
    )
    return built(own, LOCAL)


def test_the_stacks_own_bucket_must_be_refused_under_any_address(remote: Remote) -> None:
    before = keys(Remote(remote.bucket, ""))
    with pytest.raises(UsageError, match="is the bucket of this stack"):
        check_elsewhere(remote, stack_on(remote.bucket, "backups"))
    check_elsewhere(remote, stack_on(remote.bucket, "mlflow"))
    assert keys(Remote(remote.bucket, "")) == before


def test_the_key_must_come_from_the_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "s3.env"
    file.write_text(
        "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=secret\nAWS_ENDPOINT_URL=https://s3.lab\n",
        encoding="utf-8",
    )
    remote, name = remote_snapshot("s3://bucket/some/prefix/monday", file, {})
    assert (remote.bucket.endpoint, remote.bucket.key) == ("https://s3.lab", ("id", "secret"))
    assert (remote.url, remote.prefix, name) == (
        "s3://bucket/some/prefix",
        "some/prefix/",
        "monday",
    )
    environ = {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": "s"}
    assert remote_of("s3://bucket", None, environ).bucket.endpoint is None
    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY must be set in the environment"):
        remote_of("s3://bucket", None, {"AWS_ACCESS_KEY_ID": "e"})


@pytest.mark.parametrize("url", ["bucket", "https://host/bucket", "s3://", "s3://id:key@bucket"])
def test_other_urls_must_be_refused_without_showing_them(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        remote_of(url, None, {})
    assert "id:key" not in str(refused.value)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory has another unit")
def test_files_that_are_stored_at_once_must_not_be_in_memory(
    server: Objects, tmp_path: Path
) -> None:
    """boto3 reads parts of an open file ahead, but not of a file that it opens itself."""
    for number in range(FILES):
        with (tmp_path / f"file-{number}").open("wb") as file:
            file.truncate(FILE_SIZE)
    argv = [sys.executable, "-c", STORING, str(server.endpoint), server.bucket, str(tmp_path), *KEY]
    found = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert [each.size for each in server.listed("file-")] == [FILE_SIZE] * FILES
    assert int(found.stdout) < FILES * FILE_SIZE / 2
