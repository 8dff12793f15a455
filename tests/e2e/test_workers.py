"""Two workers act as one server: each reads what the other stored, even after a restart."""

import re
import time
import uuid
from collections.abc import Callable

import pytest

from .running import RunningStack, local_only, short_in_ci
from .tracking import MLFLOW, Api
from .waiting import wait_until

# Enough requests, each on its own connection, for both workers to answer.
TIMES = 8
GATEWAY = "/api/3.0/mlflow/gateway"
MODELS = "/ajax-api/3.0/mlflow/gateway/supported-models"
UNAUTHORIZED = 401


def webhooks(api: Api) -> list[str]:
    """Return the names of all webhooks; one undecryptable secret would fail the whole list."""
    return [one["name"] for one in api.get("webhooks").get("webhooks", [])]


def create_webhook(api: Api, name: str) -> None:
    """Create a webhook with a secret."""
    api.post(
        "webhooks",
        name=name,
        # Never called, since the webhook is disabled; an address, so that DNS is not needed.
        url="https://1.1.1.1/hook",
        status="DISABLED",
        secret="of-the-receiver",
        events=[{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    )


def create_endpoint(api: Api, name: str) -> None:
    """Create a gateway endpoint with a secret for a provider that is not running."""

    def create(kind: str, **body: object) -> dict[str, str]:
        answer = api.call("POST", f"{GATEWAY}/{kind}/create", json=body)
        assert answer.ok, answer.text
        (created,) = answer.json().values()
        found: dict[str, str] = created
        return found

    # Its default URL is on this machine, where no such server runs.
    provider = "ollama"
    key = {"api_key": "key-of-the-provider"}
    secret = create("secrets", secret_name=name, secret_value=key, provider=provider)
    definition = {"secret_id": secret["secret_id"], "provider": provider, "model_name": "any"}
    model = create("model-definitions", name=name, **definition)
    linked = {"model_definition_id": model["model_definition_id"], "linkage_type": "PRIMARY"}
    create("endpoints", name=name, model_configs=[{**linked, "weight": 1.0}])


def invoke(api: Api, name: str) -> str:
    """Call an endpoint and return the error: its provider cannot be reached."""
    request = {"messages": [{"role": "user", "content": "hello"}]}
    answer = api.call("POST", f"/gateway/{name}/mlflow/invocations", json=request)
    assert not answer.ok
    return answer.text


@pytest.fixture(scope="module")
def admin(outside: RunningStack) -> Api:
    """Return the admin's API of a stack with login and two workers."""
    return Api(outside.url, ("admin", outside.settings["MLFLOW_ADMIN_PASSWORD"]))


@pytest.fixture
def sign_up(admin: Api) -> Callable[[], bool]:
    """Open the sign-up form; return a function that submits it for a new user each time."""
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


def store_secrets(api: Api) -> str:
    """Create a webhook and an endpoint, whose secrets are encrypted in the database."""
    name = uuid.uuid4().hex
    create_webhook(api, name)
    create_endpoint(api, name)
    return name


def expect_secrets(api: Api, name: str) -> None:
    """Assert that every worker can decrypt them."""
    assert all(name in webhooks(api) for _ in range(TIMES))
    assert not any("decrypt" in invoke(api, name) for _ in range(TIMES))


@short_in_ci
def test_a_stored_secret_and_a_form_must_be_accepted_by_every_worker_and_after_a_restart(
    outside: RunningStack, admin: Api, sign_up: Callable[[], bool]
) -> None:
    name = store_secrets(admin)
    expect_secrets(admin, name)
    assert all(sign_up() for _ in range(TIMES))
    outside.restart("mlflow")
    outside.wait_until_healthy("mlflow")
    expect_secrets(admin, name)
    assert all(sign_up() for _ in range(TIMES))


@local_only("the login cache is configured on the same server on both engines")
def test_an_old_password_must_be_refused_within_seconds_by_every_worker(
    outside: RunningStack, admin: Api
) -> None:
    name = f"u-{uuid.uuid4().hex}"
    old, new = (Api(outside.url, (name, f"the-{age}-password")) for age in ("old", "new"))
    admin.post("users/create", username=name, password="the-old-password")
    assert all(can_log_in(old, name) for _ in range(TIMES))
    answer = admin.call(
        "PATCH",
        f"{MLFLOW}/users/update-password",
        json={"username": name, "password": "the-new-password"},
    )
    assert answer.ok, answer.text
    assert all(can_log_in(new, name) for _ in range(TIMES))

    def is_refused() -> bool:
        return not any(can_log_in(old, name) for _ in range(TIMES))

    wait_until(is_refused, seconds=10, what="the old password is refused")


def can_log_in(api: Api, name: str) -> bool:
    """Tell whether a user can log in."""
    status = api.call("GET", f"{MLFLOW}/users/get", params={"username": name}).status_code
    assert status in {200, UNAUTHORIZED}
    return status != UNAUTHORIZED


def test_a_stored_secret_must_be_read_by_every_worker_without_a_login_too(
    shared: RunningStack,
) -> None:
    expect_secrets(shared.api, store_secrets(shared.api))


def test_the_list_of_models_must_not_wait_for_the_internet(shared: RunningStack) -> None:
    """It is bundled with MLflow, which otherwise tries for two minutes to download a newer one."""
    started = time.monotonic()
    found = shared.api.call("GET", MODELS, params={"provider": "openai"})
    assert found.json()["models"]
    assert time.monotonic() - started < 20
