"""Take snapshots of a stack, check them, and load them again.

A snapshot is a folder: `manifest.json` describes it, `database.*` is the database, `objects.jsonl`
lists the objects, `objects/` has each content once, under its SHA-256, and `secrets.age` has the
stack's secrets, encrypted, if that was asked for. It is complete when it has its name: until then,
its folder starts with a dot. `snapshot` finds and names them, `take` makes one, `check` reads one
again, and `load` and `put` load one into a stack.

In a cluster, a job of the chart makes them. The modules that write the format, which are listed in
`targets/helm.py`, are a part of it: they may only import each other, and what MLflow's image has.
"""

from mlflow_compose.data.backup.archive import (
    Archived,
    archive_of,
    archive_path,
    archives,
    pack,
)
from mlflow_compose.data.backup.check import Checked, check
from mlflow_compose.data.backup.client import NotLoadedError
from mlflow_compose.data.backup.copy import copy
from mlflow_compose.data.backup.dump import dump, schema_of
from mlflow_compose.data.backup.fits import check_fits
from mlflow_compose.data.backup.load import admit_admin, empty_database, load_database, load_dumped
from mlflow_compose.data.backup.put import load_objects
from mlflow_compose.data.backup.room import check_room
from mlflow_compose.data.backup.snapshot import (
    Damaged,
    Snapshot,
    check_name,
    default_name,
    find,
    remove,
    snapshots,
    surplus,
)
from mlflow_compose.data.backup.take import Private, Taken, take
from mlflow_compose.data.backup.unpack import check_archive, unpack

__all__ = [
    "Archived",
    "Checked",
    "Damaged",
    "NotLoadedError",
    "Private",
    "Snapshot",
    "Taken",
    "admit_admin",
    "archive_of",
    "archive_path",
    "archives",
    "check",
    "check_archive",
    "check_fits",
    "check_name",
    "check_room",
    "copy",
    "default_name",
    "dump",
    "empty_database",
    "find",
    "load_database",
    "load_dumped",
    "load_objects",
    "pack",
    "remove",
    "schema_of",
    "snapshots",
    "surplus",
    "take",
    "unpack",
]
