"""A stack with login and workspaces, and two people with a workspace each."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from .running import RunningStack
from .small import SMALLEST
from .tracking import Api

# In everything that the first person stores: no answer to the other one may contain it.
MARK = "for-ada-only"
FILE = "notes/secret.txt"


@dataclass(frozen=True)
class Person:
    """Someone with a login, and a workspace of the same name.

    Attributes:
        name: Name of both.
        api: MLflow's REST API in that workspace.
    """

    name: str
    api: Api

    def elsewhere(self, workspace: str) -> Api:
        """Return the API with the same login in another workspace, the default one if empty."""
        return Api(self.api.url, self.api.login, workspace)


@dataclass(frozen=True)
class Work:
    """What a person has stored.

    Attributes:
        experiment: Id of the experiment.
        run: Id of its run.
        model: Name of the registered model.
        logged: Id of the logged model.
        key: Key of the run's artifacts.
    """

    experiment: str
    run: str
    model: str
    logged: str
    key: str


@dataclass(frozen=True)
class Spaces:
    """A running stack with two people; only the first one has stored something."""

    stack: RunningStack
    ada: Person
    bob: Person
    work: Work


def open_spaces(make: Callable[..., RunningStack], engine: str) -> Spaces:
    """Return a proven stack: on PostgreSQL and S3 in Docker, and on SQLite and files without."""
    stores = SMALLEST if engine == "local" else {}
    stack = make(MLFLOW_AUTH="basic", MLFLOW_WORKSPACES="true", **stores)
    stack.tool("up")
    ada, bob = (add_person(stack, name) for name in ("ada", "bob"))
    return Spaces(stack, ada, bob, store_work(ada.api))


def add_person(stack: RunningStack, name: str) -> Person:
    """Add a user, and a workspace for that user."""
    password = stack.tool("user", "add", name, "--generate", "--json").data["password"]
    stack.tool("workspace", "add", name)
    stack.tool("workspace", "grant", name, name, "USE")
    return Person(name, Api(stack.url, (name, password), name))


def store_work(api: Api) -> Work:
    """Store an experiment with a run and an artifact, and a model."""
    experiment = api.post("experiments/create", name=f"experiment-{MARK}")["experiment_id"]
    now = int(time.time() * 1000)
    created = api.post(
        "runs/create", experiment_id=experiment, run_name=f"run-{MARK}", start_time=now
    )["run"]["info"]
    run, uri = created["run_id"], created["artifact_uri"]
    key = str(uri).removeprefix("mlflow-artifacts:/")
    api.post("runs/log-parameter", run_id=run, key="note", value=MARK)
    api.post("runs/log-metric", run_id=run, key="loss", value=0.25, timestamp=now)
    api.artifact("PUT", f"{key}/{FILE}", MARK.encode())
    model = f"model-{MARK}"
    api.post("registered-models/create", name=model, description=MARK)
    api.post("model-versions/create", name=model, source=f"{uri}/notes", run_id=run)
    about = {"experiment_id": experiment, "name": f"logged-{MARK}", "source_run_id": run}
    logged = api.post("logged-models", **about)["model"]["info"]["model_id"]
    return Work(experiment, run, model, str(logged), key)


def expect_work(api: Api, work: Work) -> None:
    """Assert that nothing of it has changed."""
    data = api.get("runs/get", run_id=work.run)["run"]
    assert data["info"]["lifecycle_stage"] == "active"
    assert [metric["value"] for metric in data["data"]["metrics"]] == [0.25]
    listed = api.get("artifacts/list", run_id=work.run, path="notes")["files"]
    assert [file["path"] for file in listed] == [FILE]
    assert api.artifact("GET", f"{work.key}/{FILE}").content == MARK.encode()
    found = api.get("registered-models/get", name=work.model)["registered_model"]
    assert found["description"] == MARK


def new_name() -> str:
    """Return an unused name."""
    return f"vision-{uuid.uuid4().hex[:6]}"
