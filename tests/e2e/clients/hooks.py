"""Webhooks, as far as a server may go that sends them to public addresses by HTTPS alone."""

import uuid
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from .step import Seen

SECRET = "of-the-receiver"
# Never asked: an address, so that no name must be resolved, of a webhook that is off.
NOWHERE = "https://1.1.1.1/hook?a=1&b=%20#x"
REFUSED = ("https://127.0.0.1/hook", "https://192.0.2.1/hook", "http://1.1.1.1/hook")


def webhook(folder: Path) -> Seen:
    """Create a webhook, change it, see it listed, and try some that must not be."""
    del folder
    client = MlflowClient()
    name = f"hook-{uuid.uuid4().hex}"
    made = client.create_webhook(
        name,
        NOWHERE,
        ["registered_model.created", "model_version.created"],
        description="of the first day",
        secret=SECRET,
        status="DISABLED",
    )
    client.update_webhook(made.webhook_id, description="of the second day")
    found = client.get_webhook(made.webhook_id)
    return {
        "id": made.webhook_id,
        "url": found.url,
        "description": found.description,
        "status": str(found.status),
        "events": sorted(str(event) for event in found.events),
        "secret": found.secret,
        "listed": [one.webhook_id for one in client.list_webhooks(max_results=100)],
        "refused": {url: refused(client, name, url) for url in REFUSED},
    }


def refused(client: MlflowClient, name: str, url: str) -> str:
    """Return the code with which the server refuses an address; empty if it does not."""
    try:
        client.create_webhook(f"{name}-refused", url, ["registered_model.created"])
    except MlflowException as error:
        return str(error.error_code)
    return ""
