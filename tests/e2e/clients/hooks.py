"""Webhooks on a server that only allows public addresses and HTTPS."""

import uuid
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from .step import Seen

SECRET = "of-the-receiver"
# Never called, since the webhook is disabled; an address, so that DNS is not needed.
NOWHERE = "https://1.1.1.1/hook?a=1&b=%20#x"
REFUSED = ("https://127.0.0.1/hook", "https://192.0.2.1/hook", "http://1.1.1.1/hook")


def webhook(folder: Path) -> Seen:
    """Create, change and list a webhook, and try some that must be refused."""
    del folder
    client = MlflowClient()
    name = f"hook-{uuid.uuid4().hex}"
    hook = client.create_webhook(
        name,
        NOWHERE,
        ["registered_model.created", "model_version.created"],
        description="of the first day",
        secret=SECRET,
        status="DISABLED",
    )
    client.update_webhook(hook.webhook_id, description="of the second day")
    found = client.get_webhook(hook.webhook_id)
    return {
        "id": hook.webhook_id,
        "url": found.url,
        "description": found.description,
        "status": str(found.status),
        "events": sorted(str(event) for event in found.events),
        "secret": found.secret,
        "listed": [one.webhook_id for one in client.list_webhooks(max_results=100)],
        "refused": {url: refused(client, name, url) for url in REFUSED},
    }


def refused(client: MlflowClient, name: str, url: str) -> str:
    """Return the error code with which the server refuses a URL; empty if it accepts it."""
    try:
        client.create_webhook(f"{name}-refused", url, ["registered_model.created"])
    except MlflowException as error:
        return str(error.error_code)
    return ""
