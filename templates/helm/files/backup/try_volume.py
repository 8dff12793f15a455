"""Try out the volume of the snapshots: what jobs need of it, besides space."""

import argparse
import fcntl
import os
import tempfile
from pathlib import Path

from mlflow_compose.engines.inside import answer

VOLUME = "the volume of the claim backups"


def try_volume(request: answer.Request) -> dict[str, bool]:
    """Create, lock and link a file; return whether there are hard links."""
    try:
        # Hidden, like everything that is not a snapshot.
        with tempfile.TemporaryDirectory(prefix=".try-", dir=request["backups"]) as folder:
            file = Path(folder) / "file"
            file.touch()
            _lock(file)
            return {"hard_links": _has_links(file)}
    except OSError as error:
        raise answer.Failure(
            f"user {os.getuid()} cannot write to {VOLUME}: {error.strerror or error}"
        ) from error


def _lock(file: Path) -> None:
    """Lock a file, as a job does while it takes a snapshot."""
    with file.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise answer.Failure(
                f"{VOLUME} has no file locks, by which jobs wait for each other "
                f"({error.strerror or error}): choose another class in backup.storage.className"
            ) from error


def _has_links(file: Path) -> bool:
    """Tell whether files can have several names; report it if not."""
    try:
        file.with_name("link").hardlink_to(file)
    except OSError as error:
        answer.progress(
            f"{VOLUME} has no hard links ({error.strerror or error}): each snapshot needs space "
            "for all artifacts, also for those that have not changed"
        )
        return False
    return True


def main() -> None:
    """Read the options, and try it out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backups", required=True, help="folder of snapshots")
    answer.exit_on_signals()
    answer.serve(try_volume, vars(parser.parse_args()))


if __name__ == "__main__":
    main()
