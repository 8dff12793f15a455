"""A Git repository of a user who has the real DVC, in an environment of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from .running import RunningStack
from .tool import CHECKOUT, Output, environment, run, tool

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

LOCKED = CHECKOUT / "requirements" / "dvc.txt"
EXAMPLE = CHECKOUT / "examples" / "dvc"
AUTHOR = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
COMMITTER = {name.replace("AUTHOR", "COMMITTER"): value for name, value in AUTHOR.items()}


def installed_dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the `dvc` command, installed once for all processes of a session."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "dvc-environment"
    uv = (sys.executable, "-m", "uv", "--system-certs")
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            run(*uv, "venv", "--python", sys.executable, "--clear", str(folder))
            wanted = ("--require-hashes", "--requirement", str(LOCKED))
            run(*uv, "pip", "install", "--python", str(folder / "bin" / "python"), *wanted)
            (folder / "done").touch()
    return folder / "bin"


@dataclass(frozen=True)
class Project:
    """A Git repository, and the stack that it uses.

    Attributes:
        root: Folder of the repository.
        stack: The stack.
        dvc_folder: Folder of the `dvc` command, which is not on PATH if it is empty.
        bucket: Bucket for DVC's data.
    """

    root: Path
    stack: RunningStack
    dvc_folder: Path
    bucket: str = "dvc"

    def create(self) -> None:
        """Create the repository with a copy of the example."""
        shutil.copytree(EXAMPLE, self.root)
        self.types("git", "init", "--quiet")

    @property
    def environ(self) -> Mapping[str, str]:
        """The user's environment: Python has MLflow, and `dvc` is not in the same environment."""
        given = environment(
            **AUTHOR,
            **COMMITTER,
            DVC_NO_ANALYTICS="true",
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_TRACKING_URI=self.stack.url,
        )
        return {**given, "PATH": os.pathsep.join((given["PATH"], str(self.dvc_folder)))}

    def types(self, *argv: str, code: int | None = 0) -> Output:
        """Run a command in the repository."""
        return run(*argv, folder=self.root, env=self.environ, code=code)

    def objects(self) -> bytes:
        """Return the content of every object of the repository."""
        command = ("git", "cat-file", "--batch-all-objects", "--batch")
        done = subprocess.run(command, cwd=self.root, capture_output=True, check=True)
        return done.stdout

    def init(self, *options: str, code: int | None = 0, bucket: str | None = None) -> Output:
        """Run `mlflow-compose dvc init` there."""
        named = (f"--bucket={bucket or self.bucket}", *options)
        stack = f"--env-file={self.stack.env_file}"
        return tool(stack, "dvc", "init", *named, folder=self.root, env=self.environ, code=code)

    def read_key(self) -> tuple[str, str]:
        """Return the key in DVC's configuration, read by DVC itself."""
        listed = self.types("dvc", "config", "--local", "--list").out.splitlines()
        found = dict(line.removeprefix("remote.mlflow-compose.").split("=", 1) for line in listed)
        return found["access_key_id"], found["secret_access_key"]

    @cached_property
    def key(self) -> tuple[str, str]:
        """The key after the first time that it was read."""
        return self.read_key()

    @property
    def s3(self) -> "S3Client":
        """An S3 client with DVC's key."""
        return self.stack.s3(self.key)

    def stored(self) -> set[str]:
        """Return the keys of all objects in the bucket."""
        found = self.stack.s3(self.stack.root_key).list_objects_v2(Bucket=self.bucket)
        return {file["Key"] for file in found.get("Contents", [])}

    def contents(self) -> dict[str, bytes]:
        """Return the configuration that `dvc init` writes."""
        folder = self.root / ".dvc"
        return {name: (folder / name).read_bytes() for name in ("config", "config.local")}

    def remove_bucket(self) -> None:
        """Delete the bucket with its objects, so that others find the stack as it was."""
        root = self.stack.s3(self.stack.root_key)
        for key in self.stored():
            root.delete_object(Bucket=self.bucket, Key=key)
        root.delete_bucket(Bucket=self.bucket)
