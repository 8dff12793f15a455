"""Start the client's program, and look at what it saw beside what the stack has."""

import json
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.running import RunningStack
from tests.e2e.tool import CHECKOUT, environment, run
from tests.e2e.tracking import Api

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectIdentifierTypeDef

MODES = ("proxied", "direct")
# Steps that take half of the time: each is for the server that files go through, whose code is the
# same on both engines. In a container, its folder for temporary files is a volume.
HEAVY = {"docker": "large_file", "local": "thousand_files"}


@dataclass(frozen=True)
class Watched:
    """What a client saw of one stack, and the stack.

    Attributes:
        mode: What MLFLOW_ARTIFACT_ACCESS says.
        stack: The stack.
        taken: What came of each step.
    """

    mode: str
    stack: RunningStack
    taken: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, step: str) -> dict[str, Any]:
        """Return what a step saw; it must not have failed."""
        found = self.taken[step]
        assert "failed" not in found, f"{step} with {self.mode} access\n{found['failed']}"
        seen: dict[str, Any] = found["seen"]
        return seen

    @property
    def api(self) -> Api:
        """MLflow's REST API, for the user that the client was."""
        login = self.stack.settings.get("MLFLOW_AUTH")
        password = self.stack.settings["MLFLOW_ADMIN_PASSWORD"]
        return Api(self.stack.url, ("admin", password) if login else None)

    def rows(self, query: str, value: str) -> list[str]:
        """Return sorted rows of the database; the query has the value as `:'value'`."""
        return sorted(self.stack.sql(f"\\set value '{value}'\n{query}\n"))

    def row(self, query: str, value: str) -> list[str]:
        """Return the columns of the one row that the database has."""
        (found,) = self.rows(query, value)
        return found.split("|")

    def stored(self, prefix: str) -> dict[str, int]:
        """Return the sizes of all objects below a prefix, by what follows it."""
        pages = self.stack.s3().get_paginator("list_objects_v2")
        return {
            file["Key"].removeprefix(prefix): file["Size"]
            for page in pages.paginate(Bucket=self.stack.bucket, Prefix=prefix)
            for file in page.get("Contents", [])
        }

    def content(self, key: str) -> bytes:
        """Return an object's content."""
        return self.stack.s3().get_object(Bucket=self.stack.bucket, Key=key)["Body"].read()

    def delete(self, prefix: str, keys: Iterable[str]) -> None:
        """Delete what other tests would have to list, or to carry around."""
        listed: list[ObjectIdentifierTypeDef] = [{"Key": f"{prefix}{key}"} for key in keys]
        self.stack.s3().delete_objects(Bucket=self.stack.bucket, Delete={"Objects": listed})


@pytest.fixture(scope="session", params=MODES)
def seen(
    request: pytest.FixtureRequest,
    shared: RunningStack,
    outside: RunningStack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Watched:
    """Return what the client saw, of artifacts by the server and of artifacts in S3."""
    found = both(shared, outside, tmp_path_factory.getbasetemp())
    return found[MODES.index(request.param)]


@cache
def both(shared: RunningStack, outside: RunningStack, top: Path) -> tuple[Watched, ...]:
    """Take all steps with two stacks at once, in no more time than with the slower one.

    Kept here, since pytest keeps a fixture for each module that has it.
    """
    stacks = (shared, outside)
    folders = [top / f"client-of-{stack.name}" for stack in stacks]
    with ThreadPoolExecutor(len(stacks)) as pool:
        each = zip(stacks, folders, MODES, strict=True)
        work = [pool.submit(take, stack, top, left_out(stack, mode)) for stack, top, mode in each]
        found = [done.result() for done in work]
    return tuple(
        Watched(mode, stack, taken) for mode, stack, taken in zip(MODES, stacks, found, strict=True)
    )


def left_out(stack: RunningStack, mode: str) -> list[str]:
    """Return the options that keep a client from taking its heavy steps."""
    taken = HEAVY[stack.engine] if mode == "proxied" else ""
    return [f"-{step}" for step in HEAVY.values() if step != taken]


def take(stack: RunningStack, folder: Path, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Run the client's program; return what came of each step."""
    (folder / "tmp").mkdir(parents=True)
    env = environment(
        **told(stack),
        MLFLOW_DISABLE_TELEMETRY="true",
        # Else each model that is logged automatically starts a Python that looks what it imports.
        MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT="1",
        MPLBACKEND="agg",
        # As many threads as it has work for: more would only wait for each other.
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        PYTHONPATH=str(CHECKOUT),
        TMPDIR=str(folder / "tmp"),
    )
    program = (sys.executable, "-m", __package__, str(folder))
    said = run(*program, *steps, env=env, folder=folder)
    taken: dict[str, dict[str, Any]] = json.loads(said.out.splitlines()[-1])
    return taken


def told(stack: RunningStack) -> dict[str, str]:
    """Return the variables that a stack's user is told to set."""
    settings = stack.settings
    found = {"MLFLOW_TRACKING_URI": stack.url}
    if settings.get("MLFLOW_AUTH") == "basic":
        found["MLFLOW_TRACKING_USERNAME"] = "admin"
        found["MLFLOW_TRACKING_PASSWORD"] = settings["MLFLOW_ADMIN_PASSWORD"]
    if settings.get("MLFLOW_ARTIFACT_ACCESS") == "direct":
        found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"] = stack.app_key
        found["MLFLOW_S3_ENDPOINT_URL"] = stack.s3_url
    return found
