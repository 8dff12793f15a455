"""External servers of a stack, provided by another stack, and the settings to use them."""

import secrets

from .running import RunningStack
from .security import lan_address

SETTINGS = {
    "MLFLOW_AUTH": "basic",
    "MLFLOW_ARTIFACT_ACCESS": "direct",
    "PG_PUBLISH": "true",
    # For login scenarios in which workers must agree.
    "MLFLOW_WORKERS": "2",
}


def database(outside: RunningStack) -> dict[str, str]:
    """Create an empty database there and return the settings to use it."""
    name = f"other_{secrets.token_hex(4)}"
    outside.sql(f'CREATE DATABASE "{name}"')
    return {
        "PG_HOST": lan_address(),
        "PG_PORT": outside.settings["PG_PORT"],
        "PG_PASSWORD": outside.settings["PG_PASSWORD"],
        "PG_DATABASE": name,
    }


def objects(outside: RunningStack) -> dict[str, str]:
    """Return the settings to use the bucket there."""
    key, secret = outside.app_key
    return {
        "MINIO_HOST": lan_address(),
        "MINIO_PORT": outside.settings["MINIO_PORT"],
        "MINIO_ACCESS_KEY": key,
        "MINIO_SECRET_ACCESS_KEY": secret,
    }
