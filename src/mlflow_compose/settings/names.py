"""Classify names: settings, MLflow's variables, and names of other applications."""

import difflib
import re
from collections.abc import Collection
from enum import Enum
from functools import cache
from pathlib import Path

OUR_PREFIXES = (
    *("MLFLOW_", "MINIO_", "PG_", "POSTGRES_", "S3_", "STACK_", "CLASS_", "JUPYTER_", "PGADMIN_"),
)
# Prefixes of the settings that have none of OUR_PREFIXES.
OTHER_PREFIXES = ("ARTIFACT_", "AWS_", "BACKEND_", "BUILD_", "COMPOSE_", "PIP_", "PYTHON_")

# MLflow's variables that the stack sets itself, and the setting to use instead.
DECIDED_BY = {
    "MLFLOW_AUTH_ADMIN_PASSWORD": "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_AUTH_ADMIN_USERNAME": "MLFLOW_ADMIN_USERNAME",
    "MLFLOW_AUTH_CONFIG_PATH": "MLFLOW_AUTH",
    "MLFLOW_ENABLE_WORKSPACES": "MLFLOW_WORKSPACES",
    "MLFLOW_SERVER_ALLOWED_HOSTS": "MLFLOW_ALLOWED_HOSTS",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "MLFLOW_CORS_ORIGINS",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "MLFLOW_JOBS",
}

# Variables of clients, often kept in the same file; not for the server.
CLIENT_PREFIXES = (
    "MLFLOW_TRACKING_",
    "MLFLOW_EXPERIMENT_",
    "MLFLOW_REGISTRY_",
    "MLFLOW_RUN_",
    "MLFLOW_S3_ENDPOINT_URL",
)
# The server does not start with it (`assert_server_workspace_env_unset`, 3.17). No prefix: other
# variables that begin with it are the server's.
CLIENT_NAMES = frozenset({"MLFLOW_WORKSPACE"})

# The server reads it (`mlflow/utils/crypto.py`), but MLflow's list of variables omits it.
UNLISTED = frozenset({"MLFLOW_CRYPTO_KEK_PASSPHRASE"})

SECRET_ENDINGS = ("_SECRET", "_PASSWORD", "_PASSPHRASE", "_TOKEN", "_KEY", "_URI", "_URL")
# JSON that may contain a key for encrypting objects.
SECRET_NAMES = frozenset({"MLFLOW_S3_UPLOAD_EXTRA_ARGS"})

# Names from other stacks, and the settings to use instead.
BY_MEANING = {
    "ARTIFACT_STORES": "ARTIFACT_STORE",
    "AWS_BUCKET_NAME": "MLFLOW_BUCKET_NAME",
    "AWS_REGION": "AWS_DEFAULT_REGION",
    "MINIO_BUCKET": "MLFLOW_BUCKET_NAME",
    "MINIO_BUCKET_NAME": "MLFLOW_BUCKET_NAME",
    "MINIO_CONSOLE_PORT": "MINIO_CONSOLE_ADDRESS=:PORT",
    "MINIO_API_PORT": "MINIO_PORT",
    "MINIO_PORT_API": "MINIO_PORT",
    "MINIO_PORT_UI": "MINIO_CONSOLE_ADDRESS=:PORT",
    "MINIO_SECRET_KEY": "MINIO_SECRET_ACCESS_KEY",
    "MLFLOW_APP_NAME": "MLFLOW_AUTH=basic",
    "MLFLOW_ARTIFACT_BUCKET": "MLFLOW_BUCKET_NAME",
    "MLFLOW_ENABLE_WORKSPACES": "MLFLOW_WORKSPACES",
    "MLFLOW_HOST": "STACK_BIND_ADDRESS",
    "MLFLOW_PASSWORD": "MLFLOW_ADMIN_PASSWORD",
    "MLFLOW_S3_ENDPOINT_URL": "MINIO_HOST and MINIO_PORT",
    "MLFLOW_SERVER_PORT": "MLFLOW_PORT",
    "MLFLOW_TAG": "MLFLOW_VERSION",
    "MLFLOW_USER": "MLFLOW_ADMIN_USERNAME",
    "MLFLOW_USERNAME": "MLFLOW_ADMIN_USERNAME",
    "PGADMIN_DEFAULT_PASSWORD": "PGADMIN_PASSWORD",
    "PGADMIN_LISTEN_PORT": "PGADMIN_PORT",
    "PG_DB": "PG_DATABASE",
    "PG_NAME": "PG_DATABASE",
    "PG_VERSION": "POSTGRES_IMAGE",
    "POSTGRES_DATABASE": "PG_DATABASE",
    "POSTGRES_DB": "PG_DATABASE",
    "POSTGRES_HOST": "PG_HOST",
    "POSTGRES_PASSWORD": "PG_PASSWORD",
    "POSTGRES_PORT": "PG_PORT",
    "POSTGRES_USER": "PG_USER",
    "POSTGRES_VERSION": "POSTGRES_IMAGE",
    "S3_BUCKET": "MLFLOW_BUCKET_NAME",
    "S3_BUCKET_NAME": "MLFLOW_BUCKET_NAME",
    "S3_ENDPOINT_URL": "MINIO_HOST and MINIO_PORT",
    "S3_PORT": "MINIO_PORT",
}


class Kind(Enum):
    """The kind of a name in an env file."""

    SETTING = "setting"
    SERVER = "server"
    DECIDED = "decided"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


@cache
def mlflow_variables() -> frozenset[str]:
    """Return the variables that the pinned MLflow defines (`mlflow.environment_variables`)."""
    listed = Path(__file__).with_name("mlflow_variables.txt").read_text(encoding="ascii").split()
    return UNLISTED | frozenset(listed)


def kind_of(name: str, settings: Collection[str]) -> Kind:
    """Return the kind of `name`; `settings` are the names of all settings."""
    if name in settings:
        return Kind.SETTING
    if name in DECIDED_BY:
        return Kind.DECIDED
    is_clients = name.startswith(CLIENT_PREFIXES) or name in CLIENT_NAMES
    if is_clients and name in mlflow_variables():
        return Kind.FOREIGN
    if name in mlflow_variables():
        return Kind.SERVER
    # Names are case-sensitive, as in Compose; a setting in another case is a mistake.
    meant = letters_of(name)
    is_own = meant in settings or meant.startswith(OUR_PREFIXES)
    return Kind.UNKNOWN if is_own else Kind.FOREIGN


def letters_of(name: str) -> str:
    """Return a name in upper case, without quotes, hyphens and invisible characters."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").upper()


def is_secret_variable(name: str, value: str) -> bool:
    """Tell whether the value of one of MLflow's variables must not be shown.

    URLs count as secrets, since those of databases and brokers contain a password.
    """
    known = name in SECRET_NAMES or name.endswith(SECRET_ENDINGS)
    return known or has_login(value)


def has_login(value: str) -> bool:
    """Tell whether a value contains a URL with a login."""
    return bool(re.search(r"://[^/\s]*@", value))


def suggestion(name: str, settings: Collection[str]) -> str:
    """Return the rule for a name that is not a setting, with the setting that it may mean."""
    if meaning := meaning_of(name):
        return f"is not a setting; {meaning}"
    close = difflib.get_close_matches(letters_of(name), sorted(settings), n=1, cutoff=0.7)
    return f"is not a setting; did you mean {close[0]}?" if close else "is not a setting"


def meaning_of(name: str) -> str:
    """Return what to use instead of a name from another stack, empty if unknown."""
    if name.startswith("MYSQL_"):
        return "MySQL is not supported, but mlflow-compose import copies data from a server with it"
    meant = BY_MEANING.get(letters_of(name))
    return f"use {meant} instead" if meant else ""
