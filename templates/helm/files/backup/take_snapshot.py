"""Last step of a backup: turn the dump and the objects of the bucket into a snapshot.

It is one of `mlflow-compose backup`, made by the same modules: `mlflow-compose restore` loads it.
"""

import argparse
import fcntl
import gzip
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from retention import retire

from mlflow_compose.clients.bucket import BucketReader
from mlflow_compose.data.backup.contents import CHUNK
from mlflow_compose.data.backup.dumped import DUMP, check_dumped, described
from mlflow_compose.data.backup.fingerprint import fingerprint, keys_in
from mlflow_compose.data.backup.in_bucket import InBucket
from mlflow_compose.data.backup.manifest import VERSION, Database, Manifest, Objects
from mlflow_compose.data.backup.objects import copy_objects
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.data.backup.rows import RowCounter
from mlflow_compose.data.backup.snapshot import default_name, describe, latest, new
from mlflow_compose.engines.inside import answer, s3
from mlflow_compose.errors import MlflowComposeError

ENGINE = "kubernetes"
# What the steps before have written.
FACTS, ROWS = "facts.json", "rows.gz"
# Seconds to wait for the S3 server, and between two lines about the progress.
CONNECT, READ, REPORT_EVERY = 5, 60, 10


def take(request: answer.Request) -> dict[str, Any]:
    """Take a snapshot, and delete the oldest ones; return what was done."""
    top, dumped = Path(request["backups"]), Path(request["folder"])
    about = json.loads(Path(request["about"]).read_text(encoding="utf-8"))
    facts = json.loads((dumped / FACTS).read_text(encoding="utf-8"))
    stack_id, created = about["stack_id"], datetime.fromisoformat(facts["created"])
    name = default_name(created)
    with alone(top, stack_id):
        # Also before: the volume may be full, because there are more than are to be kept.
        before = retire(top, stack_id, request["keep"], created)
        previous = latest(top, stack_id, created)
        with new(top, name, stack_id) as folder:
            answer.progress("copying the database")
            shutil.copyfile(dumped / DUMP, folder / DUMP)
            counter = counted(dumped / ROWS)
            database = described(folder / DUMP, counter, facts["namespace"], facts["server"])
            check_dumped(database, facts["tables"], facts["revisions"])
            report = Report()
            copied = copy_objects(bucket(request["bucket"]), folder, previous, report, Rate())
            describe(folder, manifest(name, about, facts, database, copied.objects))
        after = retire(top, stack_id, request["keep"], created)
    return {
        "snapshot": name,
        "runs": database.rows.get("runs", 0),
        "objects": copied.objects.count,
        "bytes": database.bytes + copied.objects.bytes,
        # Those that are new or have changed; the others are linked.
        "read": copied.sent,
        "deleted": [*before.deleted, *after.deleted],
        "notes": after.notes,
    }


class Report:
    """Reports the progress, but not for every object."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        """Report it, unless the last time was a moment ago."""
        if (now := time.monotonic()) - self._last > REPORT_EVERY:
            self._last = now
            answer.progress(f"copying objects: {text}")


@contextmanager
def alone(top: Path, stack_id: str) -> Iterator[None]:
    """Wait until no other job takes a snapshot of this stack, as one that was started by hand."""
    with (top / f".lock-{stack_id}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def counted(file: Path) -> RowCounter:
    """Count the rows in what pg_restore made of the dump."""
    counter = RowCounter()
    with gzip.open(file) as text:
        while chunk := text.read(CHUNK):
            counter.read(chunk)
    return counter


def bucket(name: str) -> InBucket:
    """Return the objects of the stack, read with the key or the role that MLflow has."""
    client = s3.client(connect_timeout=CONNECT, read_timeout=READ)
    return InBucket(BucketReader(client, name, os.environ.get("MLFLOW_S3_ENDPOINT_URL")))


def manifest(
    name: str,
    about: Mapping[str, Any],
    facts: Mapping[str, Any],
    database: Database,
    objects: Objects,
) -> Manifest:
    """Return what the snapshot says about itself."""
    return Manifest(
        version=VERSION,
        name=name,
        created=facts["created"],
        engine=ENGINE,
        mlflow=facts["mlflow"],
        database=database,
        objects=objects,
        fingerprint=fingerprint(keys_in(os.environ), database.rows),
        **about,
    )


def work(request: answer.Request) -> dict[str, Any]:
    """Take a snapshot; report what can go wrong as a sentence."""
    try:
        return take(request)
    except MlflowComposeError as error:
        raise answer.Failure(error.message) from error
    except OSError as error:
        raise answer.Failure(sentence(error)) from error


def sentence(error: OSError) -> str:
    """Return what an error of the system is about, if it says so, and what it is."""
    # Of two files, it is the second one that is written.
    where, what = error.filename2 or error.filename, error.strerror or str(error)
    return f"{where}: {what}" if where else what


def main() -> None:
    """Read the options, and take a snapshot."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backups", required=True, help="folder of snapshots")
    parser.add_argument("--folder", required=True, help="folder that the steps before have filled")
    parser.add_argument("--about", required=True, help="file that describes the stack")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--keep", type=int, required=True, help="number of snapshots to keep")
    answer.exit_on_signals()
    answer.serve(work, vars(parser.parse_args()))


if __name__ == "__main__":
    main()
