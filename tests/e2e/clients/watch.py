"""Run the client program, and compare its results with what the stack has."""

import json
import sys
from collections.abc import Iterable, Mapping
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

# Access of the client on each engine: server, client and steps are the same on both, so each access
# is used once, and with it one of the two S3 servers. `outside` has direct access.
MODES = {"docker": "proxied", "local": "direct"}
STACKS = {"docker": "shared", "local": "outside"}
# Steps that take most of the time, each on one engine. A large file exercises the proxying server;
# in a container, its folder for temporary files is a volume.
ONLY = {"docker": ("large_file",), "local": ("autolog", "evaluate", "judge")}
# Steps of a client of their own: on the local engine, but with proxied access.
APART = ("thousand_files",)


@dataclass(frozen=True)
class Watched:
    """A stack and the results of a client that used it.

    Attributes:
        mode: Value of MLFLOW_ARTIFACT_ACCESS.
        stack: Stack.
        results: Result of each step.
    """

    mode: str
    stack: RunningStack
    results: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, step: str) -> dict[str, Any]:
        """Return the result of a step, which must not have failed."""
        found = self.results[step]
        assert "failed" not in found, f"{step} with {self.mode} access\n{found['failed']}"
        seen: dict[str, Any] = found["seen"]
        return seen

    @property
    def api(self) -> Api:
        """MLflow's REST API with the client's login."""
        login = self.stack.settings.get("MLFLOW_AUTH")
        password = self.stack.settings["MLFLOW_ADMIN_PASSWORD"]
        return Api(self.stack.url, ("admin", password) if login else None)

    def rows(self, query: str, value: str) -> list[str]:
        """Return sorted rows of the database; the query refers to the value as `:'value'`."""
        return sorted(self.stack.sql(f"\\set value '{value}'\n{query}\n"))

    def row(self, query: str, value: str) -> list[str]:
        """Return the columns of the only row of a query."""
        (found,) = self.rows(query, value)
        return found.split("|")

    def stored(self, prefix: str) -> dict[str, int]:
        """Return the sizes of all objects below a prefix, by the rest of the key."""
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
        """Delete large or numerous objects that would slow down other tests."""
        listed: list[ObjectIdentifierTypeDef] = [{"Key": f"{prefix}{key}"} for key in keys]
        self.stack.s3().delete_objects(Bucket=self.stack.bucket, Delete={"Objects": listed})


@pytest.fixture(scope="session")
def seen(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Watched:
    """Return the results of the engine's client.

    It requests its stack by name, so that no other one is started; conftest.py knows it too.
    """
    stack = request.getfixturevalue(STACKS[engine])
    return watched(stack, tmp_path_factory.getbasetemp() / f"client-of-{stack.name}")


@cache
def watched(stack: RunningStack, folder: Path) -> Watched:
    """Execute the steps of a stack's engine.

    Cached here, since pytest caches a fixture separately for each module that imports it.
    """
    others = [step for engine, steps in ONLY.items() if engine != stack.engine for step in steps]
    found = run_steps(stack, folder, [f"-{step}" for step in (*APART, *others)])
    return Watched(MODES[stack.engine], stack, found)


@pytest.fixture
def apart(shared: RunningStack, tmp_path: Path) -> Watched:
    """Return the results of a client of its own that has proxied access."""
    return Watched("proxied", shared, run_steps(shared, tmp_path / "client", APART))


def run_steps(stack: RunningStack, folder: Path, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Run the client program and return the result of each step."""
    (folder / "tmp").mkdir(parents=True)
    env = environment(
        **client_environment(stack),
        MLFLOW_DISABLE_TELEMETRY="true",
        # Otherwise MLflow starts a Python process for each autologged model to infer its imports.
        MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT="1",
        MPLBACKEND="agg",
        # No more threads than the client has work for: more would only wait for each other.
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        PYTHONPATH=str(CHECKOUT),
        TMPDIR=str(folder / "tmp"),
    )
    program = (sys.executable, "-m", __package__, str(folder))
    output = run(*program, *steps, env=env, folder=folder)
    results: dict[str, dict[str, Any]] = json.loads(output.out.splitlines()[-1])
    return results


def client_environment(stack: RunningStack) -> dict[str, str]:
    """Return the variables that `mlflow-compose env` tells a client to set."""
    settings = stack.settings
    found = {"MLFLOW_TRACKING_URI": stack.url}
    if settings.get("MLFLOW_AUTH") == "basic":
        found["MLFLOW_TRACKING_USERNAME"] = "admin"
        found["MLFLOW_TRACKING_PASSWORD"] = settings["MLFLOW_ADMIN_PASSWORD"]
    if settings.get("MLFLOW_ARTIFACT_ACCESS") == "direct":
        found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"] = stack.app_key
        found["MLFLOW_S3_ENDPOINT_URL"] = stack.s3_url
    return found
