"""The user's own `dvc`."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlflow_compose.dvc.project import FOLDER, Project
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import run_process
from mlflow_compose.errors import DvcError

INSTALL = 'pip install "dvc[s3]"'


def find_dvc(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the path of the user's `dvc`.

    Raises:
        DvcError: It is not installed, or cannot talk to S3.
    """
    program = shutil.which("dvc", path=environ.get("PATH"))
    if program is None:
        raise DvcError("dvc is not installed", hint=f"{INSTALL}, or uv tool install 'dvc[s3]'")
    found = run_process([program, "version"], folder=folder, environ=environ)
    if found.exit_code:
        raise DvcError(f"dvc does not work: {found.last_line}", hint=INSTALL)
    if b"s3 (" not in found.stdout:
        raise DvcError(f"{program} is installed without its plugin for S3", hint=INSTALL)
    return program


def open_project(folder: Path, program: str, environ: Mapping[str, str]) -> Project:
    """Return the DVC project that a folder is in; if there is none, make the folder one.

    Raises:
        DvcError: DVC refuses to, because the folder is not the top of a Git repository.
    """
    for candidate in (folder, *folder.parents):
        if (candidate / FOLDER).is_dir():
            return Project(candidate)
    done = run_process([program, "init"], folder=folder, environ=environ)
    if done.exit_code:
        raise DvcError(
            f"dvc init failed in {folder}: {_reason(done)}",
            hint="git init (or dvc init --subdir, dvc init --no-scm), then run the command again",
        )
    return Project(folder)


def _reason(done: Outcome) -> str:
    return done.last_line.removeprefix("ERROR: ")
