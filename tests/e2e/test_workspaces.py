"""Workspaces: separate experiments, models and artifacts in one stack."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .garbage import APPLY, backdate
from .running import SHORT_IN_CI, Run, RunningStack, left_to_soak, local_only
from .small import SMALLEST
from .spaces import FILE, MARK, Spaces, Work, expect_work, new_name, open_spaces, store_work
from .tracking import ARTIFACTS, MLFLOW, Api

pytestmark = SHORT_IN_CI

MLFLOW_3 = "/api/3.0/mlflow"
GRAPHQL = (
    'query { mlflowGetRun(input: {runId: "RUN"}) { run { info { runName } } } }',
    'query { mlflowGetExperiment(input: {experimentId: "EXPERIMENT"}) { experiment { name } } }',
    'mutation { mlflowSearchRuns(input: {experimentIds: ["EXPERIMENT"]}) { runs { __typename } } }',
    "query { mlflowSearchModelVersions(input: {}) { modelVersions { name } } }",
)


@pytest.fixture(scope="module")
def spaces(engine: str, _make_for_module: Callable[..., RunningStack]) -> Spaces:
    """Return the stack of this file, with two people."""
    return open_spaces(_make_for_module, engine)


def attempts(work: Work, other: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield requests for what is another person's: method, path, and options."""
    experiment, run = work.experiment, work.run
    below = work.key.split("/", 2)[2]
    yield "GET", f"{MLFLOW}/experiments/get?experiment_id={experiment}", {}
    yield "POST", f"{MLFLOW}/experiments/search", {"json": {"max_results": 100}}
    yield "POST", f"{MLFLOW}/experiments/delete", {"json": {"experiment_id": experiment}}
    yield "GET", f"{MLFLOW}/runs/get?run_id={run}", {}
    yield "POST", f"{MLFLOW}/runs/search", {"json": {"experiment_ids": [experiment]}}
    yield "POST", f"{MLFLOW}/runs/delete", {"json": {"run_id": run}}
    metric = {"run_id": run, "key": "loss", "value": 9, "timestamp": 1}
    yield "POST", f"{MLFLOW}/runs/log-metric", {"json": metric}
    yield "GET", f"{MLFLOW}/metrics/get-history?run_id={run}&metric_key=loss", {}
    yield "GET", f"{MLFLOW}/artifacts/list?run_id={run}", {}
    yield "GET", f"/get-artifact?run_uuid={run}&path={FILE}", {}
    upload = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={FILE}"
    yield "POST", upload, {"data": b"changed"}
    yield "GET", f"{MLFLOW}/registered-models/get?name={work.model}", {}
    yield "GET", f"{MLFLOW}/registered-models/search", {}
    yield "GET", f"{MLFLOW}/model-versions/search", {}
    yield "GET", f"/model-versions/get-artifact?name={work.model}&version=1&path=secret.txt", {}
    yield "GET", f"{MLFLOW}/logged-models/{work.logged}", {}
    yield "POST", f"{MLFLOW}/logged-models/search", {"json": {"experiment_ids": [experiment]}}
    for path in (
        f"{work.key}/{FILE}",
        f"../{other}/{below}/{FILE}",
        f"%2e%2e/{other}/{below}/{FILE}",
        f"%252e%252e/{other}/{below}/{FILE}",
        f"./{work.key}/{FILE}",
        f"{below}/{FILE}",
    ):
        yield "GET", f"{ARTIFACTS}/{path}", {}
        yield "PUT", f"{ARTIFACTS}/{path}", {"data": b"changed"}
        yield "DELETE", f"{ARTIFACTS}/{path}", {}
    for path in ("", work.key, f"../{other}"):
        yield "GET", f"{ARTIFACTS}?path={path}", {}
    for query in GRAPHQL:
        text = query.replace("RUN", run).replace("EXPERIMENT", experiment)
        yield "POST", "/graphql", {"json": {"query": text}}
    place = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]
    yield "POST", f"{MLFLOW_3}/traces/search", {"json": {"locations": place}}
    yield "POST", "/v1/traces", {"headers": {"x-mlflow-experiment-id": experiment}, "data": b""}
    yield "GET", f"{MLFLOW_3}/workspaces/{other}", {}
    yield "DELETE", f"{MLFLOW_3}/workspaces/{other}?mode=CASCADE", {}
    yield "GET", f"{MLFLOW_3}/roles/list?workspace={other}", {}
    grant = {"resource_type": "experiment", "resource_id": experiment, "permission": "READ"}
    yield (
        "POST",
        f"{MLFLOW_3}/users/permissions/grant",
        {"json": {**grant, "username": "bob"}},
    )
    yield "POST", "/ajax-api/3.0/mlflow/demo/generate", {"json": {"features": ["prompts"]}}


def test_a_person_must_not_reach_the_workspace_of_another(spaces: Spaces) -> None:
    """Whatever workspace the requests name: another's, the own one, none, or the default one."""
    before = spaces.ada.api.get("registered-models/search")
    for workspace in (spaces.ada.name, spaces.bob.name, "", "default"):
        api = spaces.bob.elsewhere(workspace)
        for method, path, options in attempts(spaces.work, spaces.ada.name):
            answer = api.call(method, path, **options)
            asked = f"{method} {path} in {workspace or 'no workspace'}"
            assert MARK not in answer.text or not answer.ok, f"{asked}: {answer.text}"
            if workspace == spaces.ada.name and method == "PUT":
                assert answer.status_code == 403, asked
    expect_work(spaces.ada.api, spaces.work)
    # MLflow itself lets every user write its demo into any workspace.
    assert spaces.ada.api.get("registered-models/search") == before
    seen = spaces.bob.api.call("GET", f"{MLFLOW_3}/workspaces").json()["workspaces"]
    assert [each["name"] for each in seen] == [spaces.bob.name]


def test_a_person_must_not_register_the_artifacts_of_another(spaces: Spaces) -> None:
    api, work, name = spaces.bob.api, spaces.work, new_name()
    api.post("registered-models/create", name=name)
    for source in (
        f"mlflow-artifacts:/{work.key}/notes",
        f"mlflow-artifacts:/workspaces/{spaces.bob.name}/../{spaces.ada.name}/{work.experiment}",
        f"runs:/{work.run}/notes",
        f"models:/{work.logged}",
        f"models:/{work.model}/1",
    ):
        for more in ({}, {"run_id": work.run}, {"model_id": work.logged}):
            body = {"name": name, "source": source, **more}
            answer = api.call("POST", f"{MLFLOW}/model-versions/create", json=body)
            assert answer.status_code in {400, 403, 404}, f"{body}: {answer.text}"


def test_names_must_be_free_in_every_workspace(spaces: Spaces) -> None:
    other = store_work(spaces.bob.api)
    expect_work(spaces.bob.api, other)
    expect_work(spaces.ada.api, spaces.work)
    rows = spaces.stack.tool("sql", "models", "--json").data["rows"]
    assert {tuple(row[:3]) for row in rows} >= {
        ("ada", spaces.work.model, 1),
        ("bob", other.model, 1),
    }
    spaces.bob.api.post("experiments/delete", experiment_id=other.experiment)


def test_the_owner_must_manage_workspaces(spaces: Spaces) -> None:
    stack, name = spaces.stack, new_name()
    stack.tool("workspace", "add", name, "--description", "pictures")
    stack.tool("workspace", "add", name, code=2).shows(f"there is a workspace {name} already")
    for level in ("manage", "USE"):
        stack.tool("workspace", "grant", name, "bob", level)
        found = stack.tool("workspace", "list", "--json").data["workspaces"]
        assert {"name": name, "description": "pictures", "users": {"bob": level.upper()}} in found
    api = spaces.bob.elsewhere(name)
    experiment = api.post("experiments/create", name="churn")["experiment_id"]
    get = f"{MLFLOW}/experiments/get?experiment_id={experiment}"
    ada = spaces.ada.elsewhere(name)
    assert ada.call("GET", get).status_code == 403
    stack.tool("user", "grant", "ada", "churn", "READ", "--workspace", name)
    assert ada.call("GET", get).status_code == 200
    stack.tool("user", "grant", "ada", "churn", "READ", code=2).shows(
        "there is no experiment churn"
    )
    stack.tool("workspace", "grant", name, "bob", "NONE")
    assert api.call("GET", get).status_code == 403
    stack.tool("workspace", "remove", name, code=2).shows(f"the workspace {name} holds data")
    stack.tool("workspace", "remove", name, "--with-data", "--yes")
    # Also in the workspace that exists from the start, and for which MLflow creates no roles.
    bob = spaces.bob.elsewhere("")
    body = {"json": {"name": name}}
    assert bob.call("POST", f"{MLFLOW}/experiments/create", **body).status_code == 403
    stack.tool("workspace", "grant", "default", "bob", "USE")
    assert bob.call("POST", f"{MLFLOW}/experiments/create", **body).status_code == 200
    stack.tool("workspace", "grant", "default", "bob", "NONE")
    stack.tool("workspace", "remove", name, code=2).shows(f"there is no workspace {name}")
    assert ada.call("GET", get).status_code == 404


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["workspace", "add", "Vision"], "must be 2 to 63 lowercase letters"),
        (["workspace", "remove", "default"], "the workspace default cannot be removed"),
        (["workspace", "grant", "ada", "nobody", "USE"], "there is no user nobody"),
        (["workspace", "grant", "ada", "ada", "READ"], "must be USE, MANAGE or NONE, got READ"),
        (
            ["user", "grant", "ada", "x", "READ", "--workspace", "none"],
            "there is no workspace none",
        ),
    ],
)
def test_what_cannot_be_done_must_be_said(spaces: Spaces, command: list[str], said: str) -> None:
    assert said in spaces.stack.tool(*command, "--json", code=2).envelope["errors"][0]["message"]


def test_a_client_must_be_told_its_workspace(spaces: Spaces) -> None:
    data = spaces.stack.tool("env", "--workspace", "ada", "--json").data
    assert data["variables"]["MLFLOW_WORKSPACE"] == "ada"


def test_deleted_runs_of_every_workspace_must_be_freed(spaces: Spaces) -> None:
    stack, api = spaces.stack, spaces.bob.api
    experiment = api.post("experiments/create", name=new_name())["experiment_id"]
    created = api.post("runs/create", experiment_id=experiment, start_time=1)["run"]["info"]
    key = str(created["artifact_uri"]).removeprefix("mlflow-artifacts:/")
    api.artifact("PUT", f"{key}/{FILE}", b"deleted")
    api.post("runs/delete", run_id=created["run_id"])
    backdate(stack, Run(created["run_id"], experiment, 0, b""), model="none")
    data = stack.tool(*APPLY).data
    assert data["freed"]["runs"] >= 1
    assert {each["workspace"] for each in data["experiments"] if each["objects"]} >= {"ada"}
    assert data["freed"]["objects"] >= 1
    admin = Api(stack.url, stack.api.login, spaces.bob.name)
    assert admin.call("GET", f"{MLFLOW}/runs/get?run_id={created['run_id']}").status_code == 404
    assert admin.call("GET", f"{ARTIFACTS}/{key}/{FILE}").status_code == 404
    expect_work(spaces.ada.api, spaces.work)


@left_to_soak("test_backup.py restores snapshots")
def test_a_snapshot_must_have_all_workspaces(spaces: Spaces) -> None:
    stack, ada, work = spaces.stack, spaces.ada.api, spaces.work
    name = stack.tool("backup", "--json").data["snapshot"]["name"]
    later = ada.post("experiments/create", name=new_name())["experiment_id"]
    ada.call("DELETE", f"{ARTIFACTS}/{work.key}/{FILE}")
    ada.post("experiments/delete", experiment_id=work.experiment)
    stack.tool("restore", name, "--yes")
    expect_work(ada, work)
    get = f"{MLFLOW}/experiments/get?experiment_id={later}"
    assert ada.call("GET", get).status_code == 403


def test_workspaces_must_not_be_switched_off_while_they_hold_data(spaces: Spaces) -> None:
    stack, ids = spaces.stack, spaces.stack.ids()
    with stack.changed(MLFLOW_WORKSPACES="false"):
        refused = stack.up(code=1)
        refused.shows("there is data in workspaces", "ada", "set MLFLOW_WORKSPACES=true")
    assert stack.ids() == ids
    expect_work(spaces.ada.api, spaces.work)


@left_to_soak("test_import.py imports from other stacks")
@local_only("this is about MLflow's tables and keys, which Docker does not change")
def test_workspaces_must_be_imported_and_can_then_be_left(
    spaces: Spaces, make_stack: Callable[..., RunningStack]
) -> None:
    stack, source = make_stack(**SMALLEST), with_login(spaces.stack)
    stack.up()
    stack.tool("workspace", "list", code=2).shows("MLFLOW_WORKSPACES is false")
    stack.tool("env", "--workspace", "ada", code=2).shows("MLFLOW_WORKSPACES is false")
    refused = stack.tool("import", source, code=1)
    refused.shows("its data is in the workspaces", "ada", "set MLFLOW_WORKSPACES=true")
    assert stack.api.post("runs/search", experiment_ids=["1"]) == {}
    stack.write(MLFLOW_WORKSPACES="true")
    stack.up()
    stack.tool("import", source)
    expect_work(Api(stack.url, None, "ada"), spaces.work)
    for found in stack.tool("workspace", "list", "--json").data["workspaces"]:
        if found["name"] == "ada":
            stack.tool("workspace", "remove", "ada", "--to-default")
        elif found["name"] != "default":
            stack.tool("workspace", "remove", found["name"], "--with-data", "--yes")
    stack.write(MLFLOW_WORKSPACES="false")
    stack.tool("up")
    expect_work(stack.api, spaces.work)


def with_login(stack: RunningStack) -> str:
    """Return the URL of a stack with its admin's login."""
    return stack.url.replace("://", f"://admin:{stack.settings['MLFLOW_ADMIN_PASSWORD']}@")
