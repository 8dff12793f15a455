"""With login, on the network: users only reach their own data, and strangers nothing."""

import socket
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from .classroom import ADMIN, Classroom
from .running import local_only
from .security import answers, lan_address
from .tracking import ARTIFACTS, MLFLOW, Api

SEARCH = f"{MLFLOW}/experiments/search"
BLOCKED = 403
REFUSED = 400
TRACES = "/api/3.0/mlflow/traces"

# Every entry point of MLflow: REST, the web page's REST, GraphQL, artifacts, tracing, jobs.
CLOSED = (
    ("GET", "/"),
    ("GET", "/version"),
    ("POST", SEARCH),
    ("POST", "/ajax-api/2.0/mlflow/experiments/search"),
    ("POST", "/graphql"),
    ("POST", f"{MLFLOW}/users/create"),
    ("GET", f"{ARTIFACTS}?path="),
    ("PUT", f"{ARTIFACTS}/0/stranger.txt"),
    ("GET", "/get-artifact?path=a&run_uuid=b"),
    ("GET", "/model-versions/get-artifact?name=a&version=1&path=b"),
    ("POST", "/v1/traces"),
    ("POST", "/ajax-api/3.0/jobs/"),
    ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
    ("GET", "/gateway/mlflow/v1/models"),
)
SAME_LOGIN = local_only("MLflow checks logins itself; without login shows that it does on Docker")
STRANGERS = {
    "without login": None,
    # A wrong password that is almost the right one.
    "with the password clipped": (ADMIN[0], ADMIN[1][:-1]),
    "with an unknown name": ("nobody", ADMIN[1]),
    "with an empty password": (ADMIN[0], ""),
}


def but_one_local(cases: Mapping[str, object], mark: pytest.MarkDecorator) -> list[Any]:
    """Return named cases, of which only the first also runs on Docker."""
    first, *others = cases.items()
    return [
        pytest.param(first[1], id=first[0]),
        *(pytest.param(value, id=name, marks=mark) for name, value in others),
    ]


# --- strangers


@pytest.mark.parametrize("login", but_one_local(STRANGERS, SAME_LOGIN))
def test_a_stranger_must_not_log_in(classroom: Classroom, login: tuple[str, str] | None) -> None:
    stranger = Api(classroom.stack.url, login)
    codes = {(method, path): status(stranger, method, path) for method, path in CLOSED}
    assert codes == dict.fromkeys(codes, 401)


def test_a_stranger_must_not_touch_artifacts(classroom: Classroom) -> None:
    stranger, key = Api(classroom.stack.url), f"{ARTIFACTS}/{classroom.run.key}"
    assert status(stranger, "GET", key) == 401
    assert status(stranger, "PUT", key, data=b"changed") == 401
    assert status(stranger, "DELETE", key) == 401
    classroom.stack.expect(classroom.run, classroom.admin)


def test_a_stranger_may_call_the_health_check(classroom: Classroom) -> None:
    assert status(Api(classroom.stack.url), "GET", "/health") == 200


# --- users


def test_the_admin_must_log_in(classroom: Classroom) -> None:
    assert status(classroom.admin, "GET", "/version") == 200
    found = classroom.admin.post("experiments/search", max_results=100)["experiments"]
    assert classroom.run.experiment_id in {experiment["experiment_id"] for experiment in found}


def test_a_user_must_not_see_others_experiments(classroom: Classroom) -> None:
    user, run = classroom.user, classroom.run
    assert user.post("experiments/search", max_results=100).get("experiments", []) == []
    assert user.post("runs/search", experiment_ids=[run.experiment_id]).get("runs", []) == []
    paths = (
        f"{MLFLOW}/experiments/get?experiment_id={run.experiment_id}",
        f"{MLFLOW}/runs/get?run_id={run.id}",
        f"{MLFLOW}/metrics/get-history?run_id={run.id}&metric_key=loss",
        f"{MLFLOW}/artifacts/list?run_id={run.id}",
    )
    assert {path: status(user, "GET", path) for path in paths} == dict.fromkeys(paths, BLOCKED)
    query = f'{{ mlflowGetRun(input: {{runId: "{run.id}"}}) {{ run {{ info {{ runId }} }} }} }}'
    answer = user.call("POST", "/graphql", json={"query": query}).json()
    assert answer["data"] == {"mlflowGetRun": None}


def test_a_user_must_not_touch_others_runs(classroom: Classroom) -> None:
    user, run = classroom.user, classroom.run
    metric = {"run_id": run.id, "key": "loss", "value": 9, "timestamp": 1}
    assert status(user, "POST", f"{MLFLOW}/runs/log-metric", json=metric) == BLOCKED
    assert status(user, "POST", f"{MLFLOW}/runs/delete", json={"run_id": run.id}) == BLOCKED
    classroom.stack.expect(run, classroom.admin)


def test_a_user_must_not_touch_others_artifacts(classroom: Classroom) -> None:
    user, run = classroom.user, classroom.run
    key = f"{ARTIFACTS}/{run.key}"
    assert status(user, "GET", key) == BLOCKED
    assert status(user, "PUT", key, data=b"changed") == BLOCKED
    assert status(user, "DELETE", key) == BLOCKED
    assert status(user, "GET", f"{ARTIFACTS}?path=") == BLOCKED
    assert status(user, "GET", f"{ARTIFACTS}?path={run.experiment_id}") == BLOCKED
    assert status(user, "GET", f"{ARTIFACTS}/0/%2e%2e/{run.key}") == BLOCKED
    classroom.stack.expect(run, classroom.admin)


@pytest.mark.parametrize("scheme", ["s3://{bucket}/", "mlflow-artifacts:/"])
def test_a_user_must_not_read_others_artifacts_through_the_model_registry(
    classroom: Classroom, scheme: str
) -> None:
    """The server fetches a model version from its source with its own S3 key."""
    user, run, name = classroom.user, classroom.run, f"model-{uuid.uuid4().hex[:8]}"
    source = f"{scheme.format(bucket=classroom.stack.bucket)}{run.experiment_id}/{run.id}/artifacts"
    user.post("registered-models/create", name=name)
    created = user.call(
        "POST", f"{MLFLOW}/model-versions/create", json={"name": name, "source": source}
    )
    path = f"/model-versions/get-artifact?name={name}&version=1&path=model/weights.bin"
    assert user.call("GET", path).content != run.artifact
    assert not created.ok


SAME_PLUGIN = local_only("MLflow's plugin decides; the first location shows that Docker loads it")
LOCATIONS = {
    "a folder of the server": "file://{secrets}",
    "a folder of the server by its path": "{secrets}",
    "a folder of the server by a relative path": "secrets",
    "another bucket": "s3://another-bucket/folder",
    "the bucket past the server": "s3://{bucket}/{run.experiment_id}",
    "another user's folder": "mlflow-artifacts:/{run.experiment_id}",
    "another user's run": "mlflow-artifacts:/{run.experiment_id}/{run.id}/artifacts",
}


@pytest.mark.parametrize("who", ["user", "admin"])
@pytest.mark.parametrize("location", but_one_local(LOCATIONS, SAME_PLUGIN))
def test_nobody_may_choose_where_the_server_stores_artifacts(
    classroom: Classroom, location: str, who: str
) -> None:
    """The server would read and write there with its own privileges."""
    api = {"user": classroom.user, "admin": classroom.admin}[who]
    secrets = classroom.stack.execute("mlflow", "sh", "-c", 'cd "$SECRETS_DIR" && pwd').strip()
    target = location.format(secrets=secrets, bucket=classroom.stack.bucket, run=classroom.run)
    for name in ("artifact_location", "artifactLocation"):
        body = {"name": f"elsewhere-{uuid.uuid4().hex[:8]}", name: target}
        for path in (f"{MLFLOW}/experiments/create", "/ajax-api/2.0/mlflow/experiments/create"):
            created = api.call("POST", path, json=body)
            assert created.status_code == REFUSED, created.text
            assert "artifact_location must not be set" in created.text


def test_a_user_must_not_write_to_an_older_experiments_foreign_location(
    classroom: Classroom,
) -> None:
    """The database may still have such a location."""
    user, stack = classroom.user, classroom.stack
    folder = f"/tmp/elsewhere-{uuid.uuid4().hex[:8]}"  # noqa: S108 - of a container, or created here
    for location in (folder, f"file://{folder}", f"s3://{uuid.uuid4().hex}"):
        created = user.post("experiments/create", name=uuid.uuid4().hex)
        change = (
            f"artifact_location = '{location}' WHERE experiment_id = {created['experiment_id']}"
        )
        stack.sql(f"UPDATE experiments SET {change}")  # noqa: S608 - of our own
        run = user.post("runs/create", experiment_id=created["experiment_id"])["run"]["info"]
        query = f"run_uuid={run['run_id']}&path=notes.txt"
        sent = user.call("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{query}", data=b"notes")
        assert sent.status_code == REFUSED, sent.text
        assert "is not in the artifacts destination" in sent.text
        listing = user.call("GET", f"{MLFLOW}/artifacts/list?run_id={run['run_id']}")
        assert listing.status_code == REFUSED, listing.text
        user.post("experiments/delete", experiment_id=created["experiment_id"])
    assert stack.execute("mlflow", "sh", "-c", f"ls -d {folder} || echo none").strip() == "none"


def test_a_user_must_not_choose_where_the_data_of_a_trace_is_stored(classroom: Classroom) -> None:
    """Such a location would give access to other users' traces."""
    user, trace = classroom.user, f"tr-{uuid.uuid4().hex}"
    created = user.post("experiments/create", name=uuid.uuid4().hex)
    location = {"type": 1, "mlflow_experiment": {"experiment_id": created["experiment_id"]}}
    info = {"trace_id": trace, "trace_location": location, "state": 1}
    info["request_time"] = "2026-11-21T00:00:00Z"
    started = user.call("POST", f"{TRACES}", json={"trace": {"trace_info": info}})
    assert started.ok, started.text
    tag = {"key": "mlflow.artifactLocation", "value": f"mlflow-artifacts:/{classroom.run.key}"}
    for path in (f"{TRACES}/{trace}/tags", f"{MLFLOW}/traces/{trace}/tags"):
        refused = user.call("PATCH", path, json=tag)
        assert refused.status_code == REFUSED, refused.text
    harmless = {"key": "note", "value": "mine"}
    assert user.call("PATCH", f"{TRACES}/{trace}/tags", json=harmless).ok
    user.post("experiments/delete", experiment_id=created["experiment_id"])


def test_a_user_must_not_create_users_or_become_admin(classroom: Classroom) -> None:
    user, name = classroom.user, f"friend-{uuid.uuid4().hex[:8]}"
    created = {"username": name, "password": uuid.uuid4().hex}
    assert status(user, "POST", f"{MLFLOW}/users/create", json=created) == BLOCKED
    raised = {"username": "student", "is_admin": True}
    assert status(user, "PATCH", f"{MLFLOW}/users/update-admin", json=raised) == BLOCKED
    taken = {"username": ADMIN[0], "password": uuid.uuid4().hex}
    assert status(user, "PATCH", f"{MLFLOW}/users/update-password", json=taken) == BLOCKED
    assert status(classroom.admin, "GET", "/version") == 200


def test_a_user_must_have_their_own_runs(classroom: Classroom) -> None:
    run = classroom.stack.log_run(classroom.user)
    classroom.stack.expect(run, classroom.user)
    found = classroom.user.post("experiments/search", max_results=100)["experiments"]
    assert [experiment["experiment_id"] for experiment in found] == [run.experiment_id]


# --- the network


def test_clients_on_the_network_must_reach_the_server_with_login(classroom: Classroom) -> None:
    """By this machine's address and name, both for programs and for MLflow's own web page."""
    port = classroom.stack.settings["MLFLOW_PORT"]
    for name in (lan_address(), socket.gethostname().lower()):
        url = f"http://{lan_address()}:{port}"
        headers = {"Host": f"{name}:{port}"}
        page = {**headers, "Origin": f"http://{name}:{port}"}
        assert search(url, ADMIN, headers).status_code == 200
        assert search(url, ADMIN, page).status_code == 200
        assert search(url, None, page).status_code == 401


def test_services_that_only_mlflow_uses_must_stay_on_loopback(classroom: Classroom) -> None:
    settings, address = classroom.stack.settings, lan_address()
    second = "PG_PORT" if classroom.stack.one_key else "MINIO_CONSOLE_ADDRESS"
    assert answers(address, int(settings["MLFLOW_PORT"]))
    for name in ("MINIO_PORT", second):
        port = int(settings[name].removeprefix(":"))
        assert answers("127.0.0.1", port)
        assert not answers(address, port)


@pytest.mark.parametrize("where", ["loopback", "network"])
def test_a_foreign_page_must_be_refused(classroom: Classroom, where: str) -> None:
    """Whether it sends its own origin or uses a name that resolves to this host (DNS rebinding)."""
    port = classroom.stack.settings["MLFLOW_PORT"]
    url = f"http://{lan_address() if where == 'network' else '127.0.0.1'}:{port}"
    for headers in (
        {"Origin": "http://foreign.example"},
        {"Origin": "null"},
        {"Host": "foreign.example"},
        {"Host": f"foreign.example:{port}"},
        {"Host": f"foreign.example:{port}", "Origin": f"http://foreign.example:{port}"},
    ):
        assert search(url, ADMIN, headers).status_code == BLOCKED, headers


def status(api: Api, method: str, path: str, **options: Any) -> int:  # noqa: ANN401
    """Return the status of a response; anything but GET has a JSON body by default."""
    if method != "GET" and not options:
        options = {"json": {}}
    return api.call(method, path, **options).status_code


def search(url: str, login: tuple[str, str] | None, headers: dict[str, str]) -> requests.Response:
    """Search experiments as a client on the network does."""
    return Api(url, login).call("POST", SEARCH, json={"max_results": 1}, headers=headers)
