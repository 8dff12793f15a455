"""What `migrate-store` says when it is done."""

from mlflow_compose.payloads import Absent, Migrated
from mlflow_compose.stack import Stack, migration

PRUNE = "mlflow-compose migrate-store --prune deletes"


def copied_lines(copied: Migrated) -> list[str]:
    """Say what was copied, and that it is the same in both places."""
    lines = []
    if not isinstance(found := copied.objects, Absent):
        lines.append(
            f"{found.count} objects, {found.bytes} bytes: identical in both places "
            f"({found.sent} were copied)"
        )
    lines += [
        f"{name}: bucket of DVC, {found.count} objects: identical in both places"
        for name, found in copied.dvc_buckets.items()
    ]
    if not isinstance(rows := copied.rows, Absent):
        lines.append(
            f"{rows['runs']} runs, {sum(rows.values())} rows in total: identical in both databases"
        )
    return lines


def not_copied_lines(copied: Migrated) -> list[str]:
    """Say which buckets were not copied."""
    return [
        *(
            f"{bucket}: another bucket of the old S3 server, not copied"
            for bucket in copied.other_buckets
        ),
        *(
            f"{bucket}: another bucket, not copied; artifact locations in the database name it "
            f"({count})"
            for bucket, count in copied.other_locations.items()
        ),
    ]


def kept_lines(old: Stack, copied: Migrated) -> list[str]:
    """Say what was not copied, and which volumes keep the old data."""
    volumes, lines = copied.kept, not_copied_lines(copied)
    held = migration.objects_volumes(old) if copied.other_buckets else ()
    if stay := [name for name in volumes if name in held]:
        lines.append(f"the old data is kept in {', '.join(stay)}; --prune leaves it alone")
    if others := [name for name in volumes if name not in held]:
        lines.append(f"the old data is kept in {', '.join(others)}; {PRUNE} it")
    return lines
