"""Artifacts through the server: every call answers as that of a server with a folder does."""

import uuid
from pathlib import Path

import pytest

from .running import CONTENT, Run, RunningStack, local_only
from .test_client import client
from .tracking import ARTIFACTS, Api

NOT_THERE = "nobody/was/here.bin"
# What is asked, and with which status a server answers; {run} is a run's folder.
ANSWERS = {
    "a file": ("GET", "{run}/model/weights.bin", 200),
    "an empty file": ("GET", "{run}/empty.txt", 200),
    "a file that is not there": ("GET", f"{{run}}/{NOT_THERE}", 404),
    "a folder": ("GET", "{run}/model", 400),
    "a folder with a slash": ("GET", "{run}/model/", 400),
    "a path that leaves the store": ("GET", "{run}/../../../../etc/passwd", 404),
    "to delete what is not there": ("DELETE", f"{{run}}/{NOT_THERE}", 200),
    "to store without a name": ("PUT", "{run}/model/", 400),
}
LISTINGS = {
    "the run": ("{run}", ["empty.txt", "model"]),
    "a folder": ("{run}/model", ["weights.bin"]),
    "a file": ("{run}/model/weights.bin", []),
    "what is not there": (f"{{run}}/{NOT_THERE}", []),
}


def filled_folder(stack: RunningStack) -> str:
    """Return where a new run with two artifacts has them."""
    path = stack.log_run().key.removesuffix("/model/weights.bin")
    stack.api.artifact("PUT", f"{path}/empty.txt", b"")
    return path


@pytest.fixture(scope="module")
def in_bucket(shared: RunningStack) -> tuple[Api, str]:
    """Return a server that keeps artifacts in a bucket, and where a run has some."""
    return shared.api, filled_folder(shared)


@pytest.fixture(scope="module")
def in_folder(smallest: RunningStack) -> tuple[Api, str]:
    """Return a server that keeps artifacts in a folder, and where a run has some."""
    return smallest.api, filled_folder(smallest)


def expect_answer(api: Api, folder: str, asked: str) -> None:
    """Make sure that a call is answered as it must be, whatever keeps the artifacts."""
    method, path, status = ANSWERS[asked]
    content = CONTENT if method == "PUT" else None
    answer = api.call(method, f"{ARTIFACTS}/{path.format(run=folder)}", data=content)
    assert answer.status_code == status, answer.text


def expect_listing(api: Api, folder: str, listed: str) -> None:
    """Make sure that a listing is as it must be, whatever keeps the artifacts."""
    path, names = LISTINGS[listed]
    found = api.call("GET", ARTIFACTS, params={"path": path.format(run=folder)})
    assert [file["path"] for file in found.json().get("files", [])] == names


# One test for each store: a process then runs only the stack that it needs.


@pytest.mark.parametrize("asked", ANSWERS)
def test_a_server_with_a_bucket_must_answer_as_any(in_bucket: tuple[Api, str], asked: str) -> None:
    expect_answer(*in_bucket, asked)


@pytest.mark.parametrize("asked", ANSWERS)
def test_a_server_with_a_folder_must_answer_as_any(in_folder: tuple[Api, str], asked: str) -> None:
    expect_answer(*in_folder, asked)


@pytest.mark.parametrize("listed", LISTINGS)
def test_a_bucket_must_be_listed_as_any_store(in_bucket: tuple[Api, str], listed: str) -> None:
    expect_listing(*in_bucket, listed)


@pytest.mark.parametrize("listed", LISTINGS)
def test_a_folder_must_be_listed_as_any_store(in_folder: tuple[Api, str], listed: str) -> None:
    expect_listing(*in_folder, listed)


@local_only("the client is the same, and what it is answered is asked on both engines above")
def test_a_client_must_be_told_at_once_what_is_not_there(
    shared: RunningStack, tmp_path: Path
) -> None:
    """MLflow's own one asks again for minutes after a status of 500."""
    seen = client(shared, "look_for_nothing", tmp_path)
    assert seen["error"] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["asked"] == 1


def experiment_at(api: Api, location: str) -> Run:
    """Make a run in an experiment whose artifacts are at a chosen address."""
    name = uuid.uuid4().hex
    made = api.post("experiments/create", name=name, artifact_location=f"{location}/{name}")
    created = api.post("runs/create", experiment_id=made["experiment_id"], start_time=0)["run"]
    id_ = created["info"]["run_id"]
    return Run(id_, name, 0, CONTENT)


def test_direct_access_must_also_serve_what_was_logged_through_the_server(
    outside: RunningStack,
) -> None:
    """As experiments that were made while MLFLOW_ARTIFACT_ACCESS was proxied."""
    api = Api(outside.url, ("admin", outside.settings["MLFLOW_ADMIN_PASSWORD"]))
    run = experiment_at(api, "mlflow-artifacts:")
    api.artifact("PUT", run.key, CONTENT)
    assert outside.objects()[run.key] == len(CONTENT)
    listed = api.get("artifacts/list", run_id=run.id, path="model")["files"]
    assert [file["path"] for file in listed] == ["model/weights.bin"]
    found = api.call("GET", "/get-artifact", params={"run_id": run.id, "path": "model/weights.bin"})
    assert found.content == CONTENT


def test_proxied_access_must_also_serve_what_was_logged_directly(shared: RunningStack) -> None:
    """As experiments that were made while MLFLOW_ARTIFACT_ACCESS was direct."""
    api, bucket = shared.api, shared.bucket
    run = experiment_at(api, f"s3://{bucket}")
    shared.s3().put_object(Bucket=bucket, Key=run.key, Body=CONTENT)
    listed = api.get("artifacts/list", run_id=run.id, path="model")["files"]
    assert [file["path"] for file in listed] == ["model/weights.bin"]
    found = api.call("GET", "/get-artifact", params={"run_id": run.id, "path": "model/weights.bin"})
    assert found.content == CONTENT
    missing = {"run_id": run.id, "path": NOT_THERE}
    assert api.call("GET", "/get-artifact", params=missing).status_code == 404
