"""A real S3 server: rclone, whose buckets are folders."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_compose.clients import Objects, ObjectsError

KEY = ("key-of-the-test", "secret-of-the-test")
# Seconds.
DEADLINE = 30


@contextmanager
def running_s3(folder: Path, *buckets: str) -> Iterator[Objects]:
    """Run the server in the block; return the first of its buckets."""
    for name in buckets:
        (folder / name).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    rclone = str(Path(sys.executable).with_name("rclone"))
    command = [rclone, "serve", "s3", "--config", "", "--addr", address, str(folder)]
    environ = {**os.environ, "RCLONE_AUTH_KEY": f'"{",".join(KEY)}"'}
    bucket = Objects(f"http://{address}", buckets[0], KEY, "us-east-1")
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(bucket)
            yield bucket
        finally:
            process.terminate()


def _wait_for(bucket: Objects) -> None:
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return bucket.check()
        except ObjectsError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
