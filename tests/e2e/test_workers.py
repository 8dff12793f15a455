"""Two workers are one server: what one stored, the other one reads, also after a restart."""

import re
import time
import uuid
from collections.abc import Callable

import pytest

from .running import RunningStack, local_only
from .tracking import MLFLOW, Api
from .waiting import wait_until

# Enough for both workers to have answered, each in a connection of its own.
TIMES = 8
GATEWAY = "/api/3.0/mlflow/gateway"
MODELS = "/ajax-api/3.0/mlflow/gateway/supported-models"
UNAUTHORIZED = 401


def webhooks(api: Api) -> list[str]:
    """Return the names of all webhooks; the list is one answer, in which one secret may fail."""
    return [one["name"] for one in api.get("webhooks").get("webhooks", [])]


def make_webhook(api: Api, name: str) -> None:
    """Make a webhook with a secret."""
    api.post(
        "webhooks",
        name=name,
        # Never asked: an address, so that no name must be resolved, of a webhook that is off.
        url="https://1.1.1.1/hook",
        status="DISABLED",
        secret="of-the-receiver",
        events=[{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    )


def make_endpoint(api: Api, name: str) -> None:
    """Make a gateway's endpoint with a secret, of a provider that is not there."""

    def create(kind: str, **body: object) -> dict[str, str]:
        answer = api.call("POST", f"{GATEWAY}/{kind}/create", json=body)
        assert answer.ok, answer.text
        (made,) = answer.json().values()
        found: dict[str, str] = made
        return found

    # On this machine by default, where no such server runs.
    provider = "ollama"
    key = {"api_key": "key-of-the-provider"}
    secret = create("secrets", secret_name=name, secret_value=key, provider=provider)
    definition = {"secret_id": secret["secret_id"], "provider": provider, "model_name": "any"}
    model = create("model-definitions", name=name, **definition)
    linked = {"model_definition_id": model["model_definition_id"], "linkage_type": "PRIMARY"}
    create("endpoints", name=name, model_configs=[{**linked, "weight": 1.0}])


def invoked(api: Api, name: str) -> str:
    """Ask an endpoint; return what came of it: its provider cannot be reached."""
    asked = {"messages": [{"role": "user", "content": "hello"}]}
    answer = api.call("POST", f"/gateway/{name}/mlflow/invocations", json=asked)
    assert not answer.ok
    return answer.text


@pytest.fixture(scope="module")
def made(shared: RunningStack) -> str:
    """Make a webhook and an endpoint, whose secrets are encrypted in the database."""
    name = uuid.uuid4().hex
    make_webhook(shared.api, name)
    make_endpoint(shared.api, name)
    return name


def test_a_stored_secret_must_be_read_by_every_worker_and_after_a_restart(
    shared: RunningStack, made: str
) -> None:
    def expect() -> None:
        assert all(made in webhooks(shared.api) for _ in range(TIMES))
        assert not any("decrypt" in invoked(shared.api, made) for _ in range(TIMES))

    expect()
    shared.restart("mlflow")
    shared.wait_until_healthy("mlflow")
    expect()


def test_the_list_of_models_must_not_wait_for_the_internet(shared: RunningStack) -> None:
    """It is MLflow's own: elsewhere a newer one is asked for first, for two minutes."""
    started = time.monotonic()
    found = shared.api.call("GET", MODELS, params={"provider": "openai"})
    assert found.json()["models"]
    assert time.monotonic() - started < 20


# --- with login


@pytest.fixture(scope="module")
def admin(outside: RunningStack) -> Api:
    """Return the API of a stack with login and two workers, for its admin."""
    return Api(outside.url, ("admin", outside.settings["MLFLOW_ADMIN_PASSWORD"]))


@pytest.fixture
def signs_up(admin: Api) -> Callable[[], bool]:
    """Open the form for new users; return what sends it, each time for another user."""
    form = admin.call("GET", "/signup")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    assert token, form.text

    def send() -> bool:
        user = {"username": f"u-{uuid.uuid4().hex}", "password": "password-of-the-user"}
        sent = admin.call(
            "POST",
            f"{MLFLOW}/users/create-ui",
            data={"csrf_token": token[1], **user},
            cookies=form.cookies,
        )
        return sent.ok and "Successfully signed up" in sent.text

    return send


def test_a_form_must_be_taken_by_every_worker(signs_up: Callable[[], bool]) -> None:
    assert all(signs_up() for _ in range(TIMES))


@local_only("its key comes in the file that the secrets above are read with")
def test_a_form_must_be_taken_by_every_worker_after_a_restart(
    outside: RunningStack, signs_up: Callable[[], bool]
) -> None:
    outside.restart("mlflow")
    outside.wait_until_healthy("mlflow")
    assert all(signs_up() for _ in range(TIMES))


@local_only("how long a login is remembered is told to the same server on both engines")
def test_an_old_password_must_be_refused_within_seconds_by_every_worker(
    outside: RunningStack, admin: Api
) -> None:
    name = f"u-{uuid.uuid4().hex}"
    old, new = (Api(outside.url, (name, f"the-{age}-password")) for age in ("old", "new"))
    admin.post("users/create", username=name, password="the-old-password")
    assert all(is_let_in(old, name) for _ in range(TIMES))
    answer = admin.call(
        "PATCH",
        f"{MLFLOW}/users/update-password",
        json={"username": name, "password": "the-new-password"},
    )
    assert answer.ok, answer.text
    assert all(is_let_in(new, name) for _ in range(TIMES))

    def is_refused() -> bool:
        return not any(is_let_in(old, name) for _ in range(TIMES))

    wait_until(is_refused, seconds=10, what="the old password is refused")


def is_let_in(api: Api, name: str) -> bool:
    """Tell whether a user's login is taken."""
    status = api.call("GET", f"{MLFLOW}/users/get", params={"username": name}).status_code
    assert status in {200, UNAUTHORIZED}
    return status != UNAUTHORIZED
