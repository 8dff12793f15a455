"""Migrations: objects and targets, inspected without the tool, and processes under way."""

import hashlib
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlflow_compose.settings.quoting import quote

from .outside import objects
from .running import RunningStack
from .tool import SCRIPT, environment

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ODD = "a folder/ü & 漢 (1).txt"


def keys(client: "S3Client", bucket: str) -> list[str]:
    """Return the keys of all objects in a bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [file["Key"] for page in pages for file in page.get("Contents", [])]


def contents(stack: RunningStack, key: tuple[str, str], bucket: str) -> dict[str, str]:
    """Return the SHA-256 of every object in a bucket of a stack's S3 server."""
    client = stack.s3(key)
    return {
        name: hashlib.sha256(client.get_object(Bucket=bucket, Key=name)["Body"].read()).hexdigest()
        for name in keys(client, bucket)
    }


def content_type(stack: RunningStack, key: tuple[str, str], bucket: str) -> str:
    """Return the content type of the oddly named object in a bucket of a stack's S3 server."""
    client = stack.s3(key)
    (odd,) = (name for name in keys(client, bucket) if name.endswith(ODD))
    return client.head_object(Bucket=bucket, Key=odd)["ContentType"]


def has_objects(client: "S3Client", bucket: str) -> bool:
    """Tell whether a bucket exists and has an object."""
    names = [found["Name"] for found in client.list_buckets()["Buckets"]]
    return bucket in names and "Contents" in client.list_objects_v2(Bucket=bucket)


def settings_file(folder: Path, settings: dict[str, str]) -> str:
    """Write further changed settings to a file for `--settings` and return its path."""
    path = folder / "new.env"
    path.write_text("".join(f"{name}={quote(value)}\n" for name, value in settings.items()))
    return str(path)


def target(outside: RunningStack, bucket: str) -> dict[str, str]:
    """Return the settings that use a separate bucket on the S3 server of `outside`."""
    root, secret = outside.root_key
    return {
        **{name: value for name, value in objects(outside).items() if name.endswith("_KEY")},
        "MINIO_ACCESS_KEY": root,
        "MINIO_SECRET_ACCESS_KEY": secret,
        "MLFLOW_BUCKET_NAME": bucket,
        "MLFLOW_BUCKET_CREATE": "true",
    }


def to_database(stack: RunningStack, settings: dict[str, str]) -> tuple[str, ...]:
    """Return the options that move runs to an external database, with settings in a file."""
    address = f"postgres={settings['PG_HOST']}:{settings['PG_PORT']}"
    named = {name: text for name, text in settings.items() if name not in {"PG_HOST", "PG_PORT"}}
    return "--to", address, "--settings", settings_file(stack.folder, named)


@contextmanager
def moving(
    stack: RunningStack, *command: str, until: str = "Copying objects"
) -> Iterator["subprocess.Popen[str]"]:
    """Suspend a migration at one of its steps; it has its own session, as in a terminal."""
    with subprocess.Popen(
        [SCRIPT, *command],
        cwd=stack.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        before = []
        for line in process.stdout:
            before.append(line)
            if line.startswith(until):
                break
        else:
            pytest.fail("".join(before))
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def move_unread(stack: RunningStack, *command: str) -> None:
    """Run a migration whose output is not read to the end, as with `2>&1 | head -1`."""
    with moving(stack, *command) as process:
        assert process.stdout
        process.stdout.close()
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=180) == 0
    assert stack.tool("status", "--json").data["migration"] is None
