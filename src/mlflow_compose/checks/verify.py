"""Put a run, an artifact and a model in, and get them back: from outside, then from inside."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlflow_compose.checks.causes import CAUSES, Cause, diagnose
from mlflow_compose.checks.inside import look
from mlflow_compose.clients import Objects, ObjectsError, Tracking, TrackingError, Unreachable
from mlflow_compose.engines import Engine
from mlflow_compose.errors import VerifyError
from mlflow_compose.result import Progress, Result

PREFIX = "mlflow-compose-verify"
SMALL = b"proof\n" * 100
LARGE = bytes(range(256)) * (20 * 1024 * 4)
PARAM, METRIC, TAG = ("optimizer", "adam"), ("loss", 0.5), ("stage", "proof")


@dataclass(frozen=True)
class Step:
    """One thing that was proved, or was not."""

    name: str
    ok: bool
    seconds: float
    detail: str


class Mismatch(Exception):  # noqa: N818 - what it is
    """What came back is not what was put in."""


class Proof:
    """One go at proving a stack; remembers what it made, so that it can be removed."""

    def __init__(self, engine: Engine) -> None:
        stack = engine.stack
        self.engine = engine
        self.tracking = Tracking(stack.urls["mlflow"], stack.login)
        self.name = f"{PREFIX}-{uuid.uuid4().hex[:12]}"
        self.experiment_id: str | None = None
        self.run_id: str | None = None
        self.artifact_uri = ""
        self.model: str | None = None
        self.objects: dict[str, int] = {}
        direct = stack.artifact_access == "direct"
        self._store = (
            Objects(stack.urls["s3"], stack.bucket, stack.app_key, stack.region) if direct else None
        )

    @property
    def outside(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        """The steps of a user on this machine, in order."""
        return (
            ("health", self.health),
            ("version", self.version),
            ("experiment", self.experiment),
            ("run", self.run),
            ("artifact", lambda: self.artifact("notes/small.txt", SMALL)),
            ("artifact 20 MB", lambda: self.artifact("large.bin", LARGE)),
            ("model", self.register),
            ("search", self.search),
        )

    def health(self) -> str:
        """Ask the server whether it is there."""
        return f"{self.tracking.url}/health answered {self.tracking.health()}"

    def version(self) -> str:
        """Compare the server's version with the settings'."""
        found = self.tracking.version()
        expected = self.engine.stack.mlflow_version
        # A ready-made image may hold another version; then that is what the user wants.
        if self.engine.stack.built and found != expected:
            raise Mismatch(f"the server is {found}, MLFLOW_VERSION is {expected}")
        return f"MLflow {found}"

    def experiment(self) -> str:
        """Create an experiment."""
        self.experiment_id = str(
            self.tracking.post("experiments/create", name=self.name)["experiment_id"]
        )
        return f"experiment {self.experiment_id}"

    def run(self) -> str:
        """Create a run with a param, a metric and a tag, and read them back."""
        created = self.tracking.post(
            "runs/create", experiment_id=self.experiment_id, start_time=int(time.time() * 1000)
        )
        self.run_id = run_id = str(created["run"]["info"]["run_id"])
        self.artifact_uri = str(created["run"]["info"]["artifact_uri"])
        self.tracking.post("runs/log-parameter", run_id=run_id, key=PARAM[0], value=PARAM[1])
        self.tracking.post(
            "runs/log-metric",
            run_id=run_id,
            key=METRIC[0],
            value=METRIC[1],
            timestamp=int(time.time() * 1000),
        )
        self.tracking.post("runs/set-tag", run_id=run_id, key=TAG[0], value=TAG[1])
        data = self.tracking.get("runs/get", run_id=run_id)["run"]["data"]
        _expect(PARAM, [(param["key"], param["value"]) for param in data["params"]])
        _expect(METRIC, [(metric["key"], metric["value"]) for metric in data["metrics"]])
        _expect(TAG, [(tag["key"], tag["value"]) for tag in data["tags"]])
        return f"run {run_id}"

    def artifact(self, path: str, content: bytes) -> str:
        """Store an artifact, find it in the list, fetch it and compare the bytes."""
        key = f"{self.experiment_id}/{self.run_id}/artifacts/{path}"
        self.objects[key] = len(content)
        put = self._store.put if self._store else self.tracking.put_artifact
        get = self._store.get if self._store else self.tracking.get_artifact
        put(key, content)
        folder = path.rpartition("/")[0]
        listed = self.tracking.get("artifacts/list", run_id=self.run_id, path=folder)
        _expect(
            (path, len(content)),
            [(file["path"], int(file.get("file_size", 0))) for file in listed["files"]],
        )
        if get(key) != content:
            raise Mismatch(f"{path} came back with other bytes")
        return f"{len(content)} bytes"

    def register(self) -> str:
        """Register a model with one version."""
        self.tracking.post("registered-models/create", name=self.name)
        self.model = self.name
        made = self.tracking.post(
            "model-versions/create",
            name=self.name,
            source=self.artifact_uri,
            run_id=self.run_id,
        )["model_version"]
        found = self.tracking.get("model-versions/get", name=self.name, version=made["version"])
        _expect(self.run_id, [found["model_version"]["run_id"]])
        return f"version {made['version']}"

    def search(self) -> str:
        """Find the run by its metric."""
        found = self.tracking.post(
            "runs/search",
            experiment_ids=[self.experiment_id],
            filter=f"metrics.{METRIC[0]} = {METRIC[1]}",
        )
        _expect(self.run_id, [run["info"]["run_id"] for run in found.get("runs", [])])
        return "found by its metric"

    def inside(self) -> Iterator[tuple[Step, Cause | None]]:
        """Look at the same from inside, and remove all of it."""
        made = {
            "run_id": self.run_id,
            "experiment_id": self.experiment_id,
            "model": self.model,
            "objects": self.objects,
        }
        for link in look(self.engine, **made):
            step = Step(link.name, not link.cause, link.seconds, link.detail)
            yield step, CAUSES[link.cause] if link.cause else None


def verify(engine: Engine, progress: Progress) -> Result:
    """Prove a running stack; every step has a name and a time.

    The first broken link ends it, and is named with its cause.
    """
    proof = Proof(engine)
    steps: list[Step] = []
    with progress.step("Proving: run, metric, artifact 20 MB, model, database, bucket"):
        failure = _outside(proof, steps, progress)
        if failure is None or proof.experiment_id:
            progress.detail("from inside")
            failure = _inside(proof, steps, failure)
    data = {"steps": [vars(step) for step in steps]}
    lines = [_line(step) for step in steps]
    return Result(data, lines, (failure,) if failure else ())


def _outside(proof: Proof, steps: list[Step], progress: Progress) -> VerifyError | None:
    for name, action in proof.outside:
        progress.detail(name)
        start = time.perf_counter()
        try:
            detail, problem = action(), None
        except (Unreachable, TrackingError, ObjectsError, Mismatch) as error:
            detail, problem = str(error), error
        detail = proof.engine.stack.mask(detail)
        step = Step(name, problem is None, round(time.perf_counter() - start, 3), detail)
        steps.append(step)
        if problem:
            return _error(step, _cause(proof.engine, problem))
    return None


def _inside(proof: Proof, steps: list[Step], failure: VerifyError | None) -> VerifyError | None:
    """Look from inside and clean up; after a failure, only the latter counts."""
    for step, cause in proof.inside():
        if failure is None:
            steps.append(step)
            failure = _error(step, cause) if cause else None
    return failure


def _cause(engine: Engine, problem: Exception) -> Cause:
    if isinstance(problem, TrackingError) and "Host header" in str(problem):
        return CAUSES["host_refused"]
    if found := diagnose(engine):
        return found
    # All is well inside: what is between this machine and MLflow is not.
    return CAUSES["not_published" if isinstance(problem, Unreachable) else "mlflow_error"]


def _error(step: Step, cause: Cause) -> VerifyError:
    return VerifyError(f"{step.name}: {cause.sentence} ({step.detail})", hint=cause.hint)


def _line(step: Step) -> str:
    mark = "ok" if step.ok else "FAILED"
    return f"{mark:<6}  {step.name:<14}  {step.seconds:6.2f} s  {step.detail}"


def _expect(wanted: object, found: list[object]) -> None:
    if wanted not in found:
        raise Mismatch(f"{wanted} was put in, {found} came back")
