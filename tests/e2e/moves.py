"""Objects that a migration moves, and its targets, inspected without the tool."""

import hashlib
from pathlib import Path

from mlflow_compose.settings.quoting import quote

from .outside import objects
from .running import RunningStack

ODD = "a folder/ü & 漢 (1).txt"


def contents(stack: RunningStack, key: tuple[str, str], bucket: str) -> dict[str, str]:
    """Return the SHA-256 of every object in a bucket of a stack's S3 server."""
    client = stack.s3(key)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [file["Key"] for page in pages for file in page.get("Contents", [])]
    return {
        key: hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()
        for key in keys
    }


def content_type(stack: RunningStack, key: tuple[str, str], bucket: str) -> str:
    """Return the content type of the oddly named object in a bucket of a stack's S3 server."""
    (odd,) = (name for name in contents(stack, key, bucket) if name.endswith(ODD))
    return stack.s3(key).head_object(Bucket=bucket, Key=odd)["ContentType"]


def has_objects(stack: RunningStack, bucket: str) -> bool:
    """Tell whether a bucket exists and has an object."""
    client = stack.s3(stack.root_key)
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
