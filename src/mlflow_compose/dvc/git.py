"""Questions to the user's own Git."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlflow_compose.engines.process import run_process
from mlflow_compose.errors import DvcError

# Exit codes with which Git answers a question.
YES, NO = 0, 1


def ask_git(folder: Path, environ: Mapping[str, str], *command: str) -> int | None:
    """Return Git's answer about a file, the last argument; None without Git or a repository.

    Raises:
        DvcError: Git does not answer, for example because another user owns the repository.
    """
    git = shutil.which("git", path=environ.get("PATH"))
    if git is None:
        return None
    done = run_process([git, *command], folder=folder, environ={**environ, "LC_ALL": "C"})
    if done.exit_code in {YES, NO}:
        return done.exit_code
    if "not a git repository" in done.stderr:
        return None
    lines = done.stderr.strip().splitlines() or [done.failure]
    raise DvcError(
        f"Git does not say whether it ignores {command[-1]}, where DVC keeps keys: {lines[0]}",
        hint=f"git -C {folder} status shows what is wrong",
    )
