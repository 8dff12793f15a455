"""The secrets of a stack in its snapshots: what is stored, and what of it a stack can read."""

from collections.abc import Mapping

from mlflow_compose.actions.plan import Plan
from mlflow_compose.data.backup import Private, Snapshot
from mlflow_compose.data.backup.fingerprint import keys_in
from mlflow_compose.data.backup.sealed import SHORTEST, seal
from mlflow_compose.errors import UsageError
from mlflow_compose.identity import KEY_FILE
from mlflow_compose.paths import STATE_DIR
from mlflow_compose.settings.envfile import edit, read_text
from mlflow_compose.stack import keys

# Paths in the encrypted file, also if the stack's env file has another name.
ENV = ".env"
KEY = f"{STATE_DIR}/{KEY_FILE}"


def private_of(plan: Plan, passphrase: str | None) -> Private:
    """Return what a snapshot of a stack has of its secrets.

    Args:
        plan: The stack.
        passphrase: Passphrase to encrypt the secrets with, None to leave them out.
    """
    sealed = seal(_files(plan), passphrase) if passphrase else b""
    return Private(_keys(plan), sealed)


def check_passphrase(passphrase: str) -> str:
    """Return a passphrase that is long enough.

    Raises:
        UsageError: It is not.
    """
    if len(passphrase) < SHORTEST:
        raise UsageError(
            f"the passphrase must have at least {SHORTEST} characters, got {len(passphrase)}",
            hint="several random words are easy to remember and hard to guess",
        )
    return passphrase


def unreadable_values(plan: Plan, snapshot: Snapshot) -> str:
    """Return a sentence if a stack cannot read the encrypted values of a snapshot, or nothing."""
    found = snapshot.manifest.fingerprint
    if found is None or found.fits(_keys(plan)):
        return ""
    return (
        "the secrets of webhooks and the API keys of the gateway in this snapshot are encrypted "
        "with another PG_PASSWORD, so MLflow cannot read them: enter them again"
    )


def _files(plan: Plan) -> Mapping[str, bytes]:
    """Return the files that another machine needs to run the same stack, by path."""
    # What the environment overrides is what the stack runs with.
    overrides = {name: plan.environ[name] for name in plan.loaded.overrides}
    text = edit(read_text(plan.paths.env_file), overrides)
    key = {KEY: f"{plan.identity.key}\n".encode()} if plan.identity.key else {}
    return {ENV: text.encode(), **key}


def _keys(plan: Plan) -> str:
    """Return the keys that values in the database are encrypted with, as one text."""
    settings = plan.loaded.settings
    found = {**keys.derived(settings, plan.identity.key), **settings.server_variables}
    return keys_in(found)
