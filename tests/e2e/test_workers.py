"""Two workers are one server: what one stored, the other one reads, also after a restart."""

import time
import uuid

from .running import RunningStack
from .tracking import Api

# Enough for both workers to have answered, each in a connection of its own.
TIMES = 8
MODELS = "/ajax-api/3.0/mlflow/gateway/supported-models"


def webhooks(api: Api) -> list[str]:
    """Return the names of all webhooks; the list is one answer, in which one secret may fail."""
    return [one["name"] for one in api.get("webhooks").get("webhooks", [])]


def test_a_webhook_with_a_secret_must_be_read_by_every_worker(shared: RunningStack) -> None:
    name = uuid.uuid4().hex
    shared.api.post(
        "webhooks",
        name=name,
        # Never asked: an address, so that no name must be resolved, of a webhook that is off.
        url="https://1.1.1.1/hook",
        status="DISABLED",
        secret="of-the-receiver",
        events=[{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    )
    assert all(name in webhooks(shared.api) for _ in range(TIMES))
    shared.restart("mlflow")
    shared.wait_until_healthy("mlflow")
    assert all(name in webhooks(shared.api) for _ in range(TIMES))


def test_the_list_of_models_must_not_wait_for_the_internet(shared: RunningStack) -> None:
    """It is MLflow's own: elsewhere a newer one is asked for first, for two minutes."""
    started = time.monotonic()
    found = shared.api.call("GET", MODELS, params={"provider": "openai"})
    assert found.json()["models"]
    assert time.monotonic() - started < 20
