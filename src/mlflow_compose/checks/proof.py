"""The steps of a user: store, read back, compare."""

import re
import time
import uuid
from collections.abc import Callable

from mlflow_compose.clients import Objects, Tracking
from mlflow_compose.stack import Stack

MULTIPART = ("multipart_uploads_enabled", "multipart_downloads_enabled")
PREFIX = "mlflow-compose-verify"
SMALL = b"proof\n" * 100
PARAM, METRIC, TAG = ("optimizer", "adam"), ("loss", 0.5), ("stage", "proof")
# The format of MLflow's ids. They become parts of paths, so nothing else is accepted.
EXPERIMENT_ID, RUN_ID = re.compile(r"[0-9]+"), re.compile(r"[0-9a-f]{32}")


class Mismatch(Exception):  # noqa: N818 - a finding, not a bug
    """The data that was read back differs from what was stored.

    Attributes:
        cause: Key in `causes` that applies if everything works from inside.
    """

    def __init__(self, message: str, cause: str = "mlflow_error") -> None:
        super().__init__(message)
        self.cause = cause


class Proof:
    """One verification of a stack; keeps track of what it creates, for the cleanup."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.tracking = Tracking.of(stack)
        self.name = f"{PREFIX}-{uuid.uuid4().hex[:12]}"
        self.created = False
        self.experiment_id: str | None = None
        self.run_id: str | None = None
        self.artifact_uri = ""
        self.objects: dict[str, int] = {}
        direct = stack.artifact_access == "direct"
        self._store = Objects.of(stack) if direct else None

    @property
    def outside(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        """The steps of a user on this machine after `health`, in order."""
        return (
            ("version", self.version),
            ("experiment", self.experiment),
            ("run", self.run),
            ("artifact", lambda: self.artifact("notes/small.txt", SMALL)),
            ("artifact 20 MB", lambda: self.artifact("large.bin", large())),
            ("model", self.register),
            ("search", self.search),
        )

    def health(self) -> str:
        """Ask the server for its health."""
        return f"{self.tracking.url}/health answered {self.tracking.health()}"

    def version(self) -> str:
        """Compare the server's version with MLFLOW_VERSION."""
        found = self.tracking.version()
        expected = self._stack.mlflow_version
        # A ready-made image may have any version: that is the user's choice.
        if self._stack.service("mlflow").build and found != expected:
            raise Mismatch(f"the server runs MLflow {found}, but MLFLOW_VERSION is {expected}")
        self._check_proxy()
        return f"MLflow {found}"

    def _check_proxy(self) -> None:
        """Make sure that the server does not send clients to an S3 server that is out of reach."""
        reported = self.tracking.capabilities()
        direct = [name for name in MULTIPART if reported.get(name)]
        if direct and not self._store:
            raise Mismatch(f"the server reports {', '.join(direct)}", "past_the_proxy")

    def experiment(self) -> str:
        """Create an experiment."""
        # Before the request, whose response may be lost.
        self.created = True
        answer = self.tracking.post("experiments/create", name=self.name)
        self.experiment_id = _id("experiment", EXPERIMENT_ID, answer["experiment_id"])
        return f"experiment {self.experiment_id}"

    def run(self) -> str:
        """Create a run with a param, a metric and a tag, and read them back."""
        created = self.tracking.post(
            "runs/create", experiment_id=self.experiment_id, start_time=int(time.time() * 1000)
        )
        self.run_id = run_id = _id("run", RUN_ID, created["run"]["info"]["run_id"])
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
        _expect(PARAM, [(param["key"], param["value"]) for param in data.get("params", [])])
        _expect(METRIC, [(metric["key"], metric["value"]) for metric in data.get("metrics", [])])
        _expect(TAG, [(tag["key"], tag["value"]) for tag in data.get("tags", [])])
        return f"run {run_id}"

    def artifact(self, path: str, content: bytes) -> str:
        """Store an artifact, list it, download it and compare the bytes."""
        prefix = self._stack.artifact_prefix
        key = f"{prefix}{self.experiment_id}/{self.run_id}/artifacts/{path}"
        self.objects[key] = len(content)
        put = self._store.put if self._store else self.tracking.put_artifact
        get = self._store.get if self._store else self.tracking.get_artifact
        put(key, content)
        folder = path.rpartition("/")[0]
        listed = self.tracking.get("artifacts/list", run_id=self.run_id, path=folder)
        _expect(
            (path, len(content)),
            [(file["path"], int(file.get("file_size", 0))) for file in listed.get("files", [])],
        )
        if get(key) != content:
            raise Mismatch(f"{path} was returned with different bytes")
        return f"{len(content)} bytes"

    def register(self) -> str:
        """Register a model with one version."""
        self.tracking.post("registered-models/create", name=self.name)
        created = self.tracking.post(
            "model-versions/create",
            name=self.name,
            source=self.artifact_uri,
            run_id=self.run_id,
        )["model_version"]
        found = self.tracking.get("model-versions/get", name=self.name, version=created["version"])
        _expect(self.run_id, [found["model_version"]["run_id"]])
        return f"version {created['version']}"

    def search(self) -> str:
        """Find the run by its metric."""
        found = self.tracking.post(
            "runs/search",
            experiment_ids=[self.experiment_id],
            filter=f"metrics.{METRIC[0]} = {METRIC[1]}",
        )
        _expect(self.run_id, [run["info"]["run_id"] for run in found.get("runs", [])])
        return "found by its metric"

    @property
    def request(self) -> dict[str, object]:
        """The data that the probe checks from inside and removes."""
        return {
            "run_id": self.run_id,
            "name": self.name if self.created else "",
            "objects": self.objects,
        }


def large() -> bytes:
    """Return the content of the large artifact: 20 MB."""
    return bytes(range(256)) * (20 * 2**20 // 256)


def _id(kind: str, form: re.Pattern[str], found: object) -> str:
    """Return an id from the server if it has the format of MLflow's."""
    if not form.fullmatch(str(found)):
        raise Mismatch(f"{found!r} is not the id of an MLflow {kind}")
    return str(found)


def _expect(wanted: object, found: list[object]) -> None:
    if wanted not in found:
        raise Mismatch(f"{wanted} was stored, but {found} was returned")
