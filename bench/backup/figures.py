"""What is measured: one record per figure."""

from bench.figures import LESS, MORE, Figure

SPEED = (
    Figure("backup", "`backup`, first snapshot", "s", LESS, baseline="plain_backup"),
    Figure("plain_backup", "`pg_dump` and `rclone copy`", "s", LESS),
    Figure("again", "`backup` again, of the same data", "s", LESS),
    Figure(
        "restore", "`restore`, from start to verified stack", "s", LESS, baseline="plain_restore"
    ),
    Figure("plain_restore", "`pg_restore` and `rclone copy`", "s", LESS),
    Figure("backup_rate", "`backup`, first snapshot", "MB/s", MORE),
    Figure("plain_backup_rate", "`pg_dump` and `rclone copy`", "MB/s", MORE),
    Figure("restore_rate", "`restore`", "MB/s", MORE),
    Figure("plain_restore_rate", "`pg_restore` and `rclone copy`", "MB/s", MORE),
)
MEMORY = (
    Figure("backup_memory", "`backup` and the commands it starts", "MB", LESS),
    Figure("backup_largest", "`backup`, its largest process", "MB", LESS),
    Figure("restore_memory", "`restore` and the commands it starts", "MB", LESS),
    Figure("restore_largest", "`restore`, its largest process", "MB", LESS),
    Figure("plain_backup_memory", "`pg_dump` and `rclone copy`", "MB", LESS),
    Figure("plain_restore_memory", "`pg_restore` and `rclone copy`", "MB", LESS),
)
WRITES = (
    Figure("pause", "longest time without any acknowledged write, during `backup`", "s", LESS),
    Figure("pause_alone", "the same without a backup", "s", LESS),
    Figure("slowest", "slowest write, during `backup`", "s", LESS),
    Figure("slowest_alone", "the same without a backup", "s", LESS),
    Figure("writes", "acknowledged writes, during `backup`", "/s", MORE),
    Figure("writes_alone", "the same without a backup", "/s", MORE),
    Figure("failed", "failed writes, during `backup`", "", LESS),
    Figure("failed_alone", "the same without a backup", "", LESS),
)
FIGURES = (*SPEED, *MEMORY, *WRITES)
