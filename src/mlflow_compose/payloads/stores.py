"""What the commands that import and move data print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import Absent, key, optional_key


@dataclass(frozen=True)
class CopiedObjects:
    """Objects that a migration copied."""

    count: int = key("Number of objects.")
    bytes: int = key("Total size in bytes.")
    sent: int = key("Number of objects that the target did not have yet.")


@dataclass(frozen=True)
class Migrated:
    """`migrate-store --to`."""

    objects: CopiedObjects | Absent = optional_key("Objects, if artifacts were moved.")
    rows: Mapping[str, int] | Absent = optional_key("Rows by table, if runs were moved.")
    kept: Sequence[str] = key("Volumes that keep the old data.")
    dvc_buckets: Mapping[str, CopiedObjects] = key("Buckets of DVC that were copied, by name.")
    other_buckets: Sequence[str] = key("Other buckets of the old S3 server, which were not copied.")
    other_locations: Mapping[str, int] = key(
        "Number of artifact locations in the database that name another bucket, by bucket; "
        "their objects were not copied."
    )


@dataclass(frozen=True)
class Pruned:
    """`migrate-store --prune`."""

    removed: Sequence[str] = key("Volumes that were deleted.")
    kept: Mapping[str, Sequence[str]] = key(
        "Volumes that were not deleted, with the buckets in them that were not copied; "
        "an empty list if these are unknown."
    )


@dataclass(frozen=True)
class Compared:
    """Numbers of one kind in the source and in the stack after an import."""

    source: int = key("Number in the source.")
    stack: int = key("Number of these that are in the stack.")


@dataclass(frozen=True)
class Imported:
    """`import`."""

    source: str = key("Folder, file or URL that was imported; without a password.")
    brought: Mapping[str, int] = key("Number of new rows and artifacts by kind.")
    already_there: Mapping[str, int] = key("Number that the stack had before, by kind.")
    left: Sequence[str] = key("What was not imported, one sentence each.")
    compared: Mapping[str, Compared] = key("Numbers in the source and in the stack, by kind.")
