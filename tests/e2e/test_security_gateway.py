"""Login that is turned on later: the smallest stack stays confined, the gateway keeps its keys."""

import json
import uuid
from typing import NamedTuple

import pytest

from .classroom import Classroom
from .conftest import MakeStack
from .local_stack import LocalStack
from .running import RunningStack, local_only
from .small import SMALLEST, VOLUME
from .tracking import MLFLOW, Api

GATEWAY_SECRETS = "/api/3.0/mlflow/gateway/secrets"
# Decrypts the keys like a freshly started server, with the passphrase its entry point sources.
READ_KEYS = """
import json, sqlalchemy, sys
from mlflow.utils.crypto import KEKManager, _decrypt_secret

found = {}
engine = sqlalchemy.create_engine(f"sqlite:///{sys.argv[1]}")
with engine.connect() as connection:
    for row in connection.execute(sqlalchemy.text("SELECT * FROM secrets")):
        kek = KEKManager(kek_version=row.kek_version)
        value, wrapped = bytes(row.encrypted_value), bytes(row.wrapped_dek)
        secret = _decrypt_secret(value, wrapped, kek, row.secret_id, row.secret_name)
        found[row.secret_name] = secret["api_key"]
print(json.dumps(found))
"""
WITH_SECRETS = '. "$SECRETS_DIR/mlflow_env" && exec "$@"'


class Late(NamedTuple):
    """The smallest stack, with login, and the gateway's key that was stored before."""

    stack: RunningStack
    admin: Api
    keys: dict[str, str]


@pytest.fixture(scope="module")
def late(_make_for_module: MakeStack) -> Late:
    """Return a stack whose login was turned on later."""
    stack, password = _make_for_module(**SMALLEST), uuid.uuid4().hex
    stack.up()
    keys = {"without login": uuid.uuid4().hex}
    store_key(stack.api, "without login", keys["without login"])
    stack.write(MLFLOW_AUTH="basic", MLFLOW_ADMIN_PASSWORD=password)
    stack.up()
    return Late(stack, Api(stack.url, ("admin", password)), keys)


@local_only("both engines configure the server's artifact folder the same way")
def test_the_smallest_stack_must_store_artifacts_in_its_own_folder(late: Late) -> None:
    """Here the store is a folder of the server, next to the database file."""
    run = late.stack.log_run(late.admin)
    assert late.admin.artifact("GET", run.key).content == run.artifact
    for location in ("file:///tmp/elsewhere", "/tmp/elsewhere", "s3://elsewhere"):  # noqa: S108 - refused
        body = {"name": uuid.uuid4().hex, "artifact_location": location}
        created = late.admin.call("POST", f"{MLFLOW}/experiments/create", json=body)
        assert created.status_code == 400


@local_only("the passphrase is chosen before an engine is involved")
def test_gateway_keys_must_survive_login_and_another_admin_password(late: Late) -> None:
    """One key was stored without login, one before the password was changed."""
    keys = {**late.keys, "with login": uuid.uuid4().hex}
    store_key(late.admin, "with login", keys["with login"])
    late.stack.write(MLFLOW_ADMIN_PASSWORD=uuid.uuid4().hex)
    late.stack.up()
    assert read_keys(late.stack) == keys


def test_gateway_keys_must_not_be_encrypted_with_mlflows_default(classroom: Classroom) -> None:
    output = classroom.admin.call("GET", "/ajax-api/3.0/mlflow/gateway/secrets/config").json()
    assert output["using_default_passphrase"] is False


def store_key(api: Api, name: str, key: str) -> None:
    """Store a provider's API key in the gateway."""
    body = {"secret_name": name, "secret_value": {"api_key": key}, "provider": "openai"}
    created = api.call("POST", f"{GATEWAY_SECRETS}/create", json=body)
    assert created.ok, created.text


def read_keys(stack: RunningStack) -> dict[str, str]:
    """Return the gateway's API keys by name, as decrypted by the server."""
    assert isinstance(stack, LocalStack)
    database = stack.local_folder / "data" / VOLUME / "mlflow.db"
    code = ("python", "-c", READ_KEYS, str(database))
    output = stack.execute("mlflow", "sh", "-c", WITH_SECRETS, "sh", *code)
    found: dict[str, str] = json.loads(output)
    return found
