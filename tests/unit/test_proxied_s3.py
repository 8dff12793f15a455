"""The artifact repository plugin, with servers that break connections or refuse uploads."""

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.preloaded import Interpreter, interpreter

IMPORTED = "mlflow.store.artifact.s3_artifact_repo"
PLUGINS = Path(__file__).parents[2] / "templates" / "compose" / "mlflow" / "plugins"
CONTENT = bytes(range(250)) * 4
FETCH = """
import sys
from proxied_s3 import ProxiedS3ArtifactRepository

repository = ProxiedS3ArtifactRepository("s3://bucket/artifacts")
print(repository.download_artifacts("file.bin", sys.argv[1]))
"""

# Prints what an upload ends with, and how much of the arriving bytes was taken.
STORE = """
import asyncio
from proxied_s3 import ProxiedS3ArtifactRepository

taken = 0

async def chunks():
    global taken
    for _ in range(300):
        taken += 100_000
        yield bytes(100_000)

async def main():
    repository = ProxiedS3ArtifactRepository("s3://bucket/artifacts")
    try:
        await repository.log_artifact_from_async_stream(first(chunks()), "file.bin")
        print("stored")
    except Exception as error:
        print(type(error).__name__)
    print(taken)
"""
SMALL = """
async def first(chunks):
    async for chunk in chunks:
        yield chunk
        break

asyncio.run(main())
"""
WHOLE = """
first = lambda chunks: chunks
asyncio.run(main())
"""

# Uploads that all end only after all of them have begun.
MANY = """
import asyncio
from proxied_s3 import ProxiedS3ArtifactRepository

# More than the event loop's own threads.
COUNT, begun = 40, 0

async def chunks(all_begun):
    global begun
    begun += 1
    if begun == COUNT:
        all_begun.set()
    yield b"first"
    await all_begun.wait()
    yield b"last"

async def main():
    repository, all_begun = ProxiedS3ArtifactRepository("s3://bucket/artifacts"), asyncio.Event()
    store = repository.log_artifact_from_async_stream
    uploads = [store(chunks(all_begun), f"{number}.bin") for number in range(COUNT)]
    async with asyncio.timeout(30):
        await asyncio.gather(*uploads)
    print("stored", len(uploads))

asyncio.run(main())
"""

LOAD = """
import sys
from proxied_s3 import ProxiedS3ArtifactRepository

ProxiedS3ArtifactRepository("s3://bucket/artifacts").load_client()
print("boto3" in sys.modules)
"""
OLDER = """
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

del artifact_repo.StreamUploadMixin
import proxied_s3
print(proxied_s3.ProxiedS3ArtifactRepository.__name__)
"""


class Breaking(BaseHTTPRequestHandler):
    """Responds like S3, but breaks off the first body half way."""

    broken = False

    def do_HEAD(self) -> None:
        """Send the size."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", '"any"')
        self.end_headers()

    def do_GET(self) -> None:
        """Send the file, half of it at first."""
        self.do_HEAD()
        is_complete, type(self).broken = type(self).broken, True
        self.wfile.write(CONTENT if is_complete else CONTENT[: len(CONTENT) // 2])
        self.close_connection = True

    def do_PUT(self) -> None:
        """Accept only payloads that the client has not hashed with SHA-256."""
        self.rfile.read(int(self.headers["Content-Length"]))
        is_unsigned = self.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
        self.send_response(200 if is_unsigned and self.headers["x-amz-checksum-crc32"] else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Print nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Return the URL of the server that breaks connections."""
    handler = type("Handler", (Breaking,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


Repository = Callable[..., list[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """Return a Python that has imported what the plugin imports."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    with interpreter(tmp_path_factory.mktemp("output"), environ, IMPORTED) as found:
        yield found


@pytest.fixture
def repository(python: Interpreter, tmp_path: Path) -> Repository:
    """Return a function that runs code with the plugin, for a server at an address."""

    def run(code: str, address: str, *arguments: str, **more: str) -> list[str]:
        environ = {
            "MLFLOW_S3_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            **more,
        }
        done = python.run(code, arguments, environ, [str(PLUGINS)])
        assert done.code == 0, done.err
        return done.out.splitlines()

    return run


def test_an_interrupted_download_must_be_retried(
    address: str, repository: Repository, tmp_path: Path
) -> None:
    *_, path = repository(FETCH, address, str(tmp_path))
    assert Path(path).read_bytes() == CONTENT


def test_payloads_must_be_signed_except_for_the_server_of_the_stack(
    address: str, repository: Repository
) -> None:
    assert repository(STORE + SMALL, address)[0] == "ClientError"
    assert repository(STORE + SMALL, address, BUNDLED_S3="true")[0] == "stored"


def test_slow_uploads_must_not_wait_for_each_other(address: str, repository: Repository) -> None:
    found = repository(MANY, address, BUNDLED_S3="true", AWS_MAX_ATTEMPTS="1")
    assert found == ["stored 40"]


def test_a_refused_upload_must_be_received_to_the_end(address: str, repository: Repository) -> None:
    """Otherwise, a client that is still sending would see a broken connection, not the reason."""
    error, taken = repository(STORE + WHOLE, address)
    assert (error, int(taken)) == ("ClientError", 30_000_000)


def test_versions_of_mlflow_without_streams_must_have_the_plugin_too(
    address: str, repository: Repository
) -> None:
    """Its check of locations would be missing as well: MLflow only warns about a plugin's error."""
    assert repository(OLDER, address) == ["ProxiedS3ArtifactRepository"]


def test_a_file_that_s3_has_not_enough_parts_for_must_be_refused(
    address: str, repository: Repository
) -> None:
    code = STORE.replace(
        "async def main", "import proxied_s3\nproxied_s3.LARGEST = 1000\nasync def main"
    )
    error, _ = repository(code + WHOLE, address)
    assert error == "MlflowException"


def test_only_the_client_of_the_stacks_server_must_be_loaded_early(repository: Repository) -> None:
    nowhere = "http://127.0.0.1:1"
    assert repository(LOAD, nowhere, BUNDLED_S3="true") == ["True"]
    assert repository(LOAD, "not-a-url") == ["False"]
