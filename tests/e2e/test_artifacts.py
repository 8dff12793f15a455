"""Artifacts through the server: a bucket and a folder must give the same answers."""

import uuid

import pytest

from .running import CONTENT, Run, RunningStack, short_in_ci
from .tracking import ARTIFACTS, Api

MISSING = "no/such/file.bin"
# Request and expected status by description; {run} is a run's artifact folder.
ANSWERS = {
    "a file": ("GET", "{run}/model/weights.bin", 200),
    "an empty file": ("GET", "{run}/empty.txt", 200),
    "a file that is not there": ("GET", f"{{run}}/{MISSING}", 404),
    "a folder": ("GET", "{run}/model", 400),
    "a folder with a slash": ("GET", "{run}/model/", 400),
    "a path that leaves the store": ("GET", "{run}/../../../../etc/passwd", 404),
    "to delete what is not there": ("DELETE", f"{{run}}/{MISSING}", 200),
    "to store without a name": ("PUT", "{run}/model/", 400),
}
LISTINGS = {
    "the run": ("{run}", ["empty.txt", "model"]),
    "a folder": ("{run}/model", ["weights.bin"]),
    "a file": ("{run}/model/weights.bin", []),
    "what is not there": (f"{{run}}/{MISSING}", []),
}


def filled_folder(stack: RunningStack) -> str:
    """Log a run with two artifacts and return its artifact folder."""
    path = stack.log_run().key.removesuffix("/model/weights.bin")
    stack.api.artifact("PUT", f"{path}/empty.txt", b"")
    return path


@pytest.fixture(scope="module")
def in_bucket(shared: RunningStack) -> tuple[Api, str]:
    """Return a server that keeps artifacts in a bucket, and a run's artifact folder."""
    return shared.api, filled_folder(shared)


@pytest.fixture(scope="module")
def in_folder(smallest: RunningStack) -> tuple[Api, str]:
    """Return a server that keeps artifacts in a local folder, and a run's artifact folder."""
    return smallest.api, filled_folder(smallest)


def expect_answer(api: Api, folder: str, case: str) -> None:
    """Assert the status of a call, which is the same for every artifact store."""
    method, path, status = ANSWERS[case]
    content = CONTENT if method == "PUT" else None
    answer = api.call(method, f"{ARTIFACTS}/{path.format(run=folder)}", data=content)
    assert answer.status_code == status, answer.text


def expect_listing(api: Api, folder: str, listing: str) -> None:
    """Assert the names in a listing, which are the same for every artifact store."""
    path, names = LISTINGS[listing]
    found = api.call("GET", ARTIFACTS, params={"path": path.format(run=folder)})
    assert [file["path"] for file in found.json().get("files", [])] == names


# One test for each store, so that a worker process only runs the stack that it needs.


@pytest.mark.parametrize("case", ANSWERS)
def test_a_bucket_must_give_the_same_answers_as_any_store(
    in_bucket: tuple[Api, str], case: str
) -> None:
    expect_answer(*in_bucket, case)


@pytest.mark.parametrize("case", ANSWERS)
def test_a_folder_must_give_the_same_answers_as_any_store(
    in_folder: tuple[Api, str], case: str
) -> None:
    expect_answer(*in_folder, case)


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_bucket_must_be_listed_like_any_store(in_bucket: tuple[Api, str], listing: str) -> None:
    expect_listing(*in_bucket, listing)


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_folder_must_be_listed_like_any_store(in_folder: tuple[Api, str], listing: str) -> None:
    expect_listing(*in_folder, listing)


def experiment_at(api: Api, location: str) -> Run:
    """Create a run in an experiment with a given artifact location."""
    name = uuid.uuid4().hex
    experiment = api.post("experiments/create", name=name, artifact_location=f"{location}/{name}")
    created = api.post("runs/create", experiment_id=experiment["experiment_id"], start_time=0)[
        "run"
    ]
    id_ = created["info"]["run_id"]
    return Run(id_, name, 0, CONTENT)


@short_in_ci
def test_direct_access_must_also_serve_what_was_logged_through_the_server(
    outside: RunningStack,
) -> None:
    """Covers experiments created while MLFLOW_ARTIFACT_ACCESS was proxied."""
    api = Api(outside.url, ("admin", outside.settings["MLFLOW_ADMIN_PASSWORD"]))
    run = experiment_at(api, "mlflow-artifacts:")
    api.artifact("PUT", run.key, CONTENT)
    assert outside.objects()[run.key] == len(CONTENT)
    files = api.get("artifacts/list", run_id=run.id, path="model")["files"]
    assert [file["path"] for file in files] == ["model/weights.bin"]
    found = api.call("GET", "/get-artifact", params={"run_id": run.id, "path": "model/weights.bin"})
    assert found.content == CONTENT


def test_proxied_access_must_also_serve_what_was_logged_directly(shared: RunningStack) -> None:
    """Covers experiments created while MLFLOW_ARTIFACT_ACCESS was direct."""
    api, bucket = shared.api, shared.bucket
    run = experiment_at(api, f"s3://{bucket}")
    shared.s3().put_object(Bucket=bucket, Key=run.key, Body=CONTENT)
    files = api.get("artifacts/list", run_id=run.id, path="model")["files"]
    assert [file["path"] for file in files] == ["model/weights.bin"]
    found = api.call("GET", "/get-artifact", params={"run_id": run.id, "path": "model/weights.bin"})
    assert found.content == CONTENT
    missing = {"run_id": run.id, "path": MISSING}
    assert api.call("GET", "/get-artifact", params=missing).status_code == 404
