"""Free what was deleted long ago, as `mlflow-compose gc --apply` does: one line of JSON a step.

The modules that do it are those of the tool. They delete rows before objects, keep what a
registered model refers to, and continue where an earlier run was interrupted.
"""

import argparse
import time

from mlflow_compose.data.inside import collect
from mlflow_compose.engines.inside import answer

DAY = 24 * 60 * 60 * 1000


def main() -> None:
    """Read the options, and free what they allow."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend-store", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--days", type=int, required=True, help="since something was deleted")
    parser.add_argument("--orphans", action="store_true", help="also what belongs to nothing")
    options = parser.parse_args()
    now = int(time.time() * 1000)
    request = {
        "backend": options.backend_store,
        "artifact_root": f"s3://{options.bucket}",
        "bucket": options.bucket,
        "folder": "",
        "deleted": now - options.days * DAY,
        # What is being uploaded may be an orphan for a moment.
        "orphans": now - DAY,
        "apply": True,
        "with_orphans": options.orphans,
    }
    answer.exit_on_signals()
    answer.serve(collect.main, request)


if __name__ == "__main__":
    main()
