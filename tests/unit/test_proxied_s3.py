"""The artifact repository plugin must cope with a server that breaks connections."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "templates" / "compose" / "mlflow" / "plugins"
CONTENT = bytes(range(250)) * 4
FETCH = """
import sys
from proxied_s3 import ProxiedS3ArtifactRepository

repository = ProxiedS3ArtifactRepository("s3://bucket/artifacts")
print(repository.download_artifacts("file.bin", sys.argv[1]))
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


def test_an_interrupted_download_must_be_retried(address: str, tmp_path: Path) -> None:
    environ = {
        "PYTHONPATH": str(PLUGINS),
        "MLFLOW_S3_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-c", FETCH, str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]).read_bytes() == CONTENT
