"""The secrets of a stack, in the file formats of its servers and libraries.

Those of PostgreSQL are in `postgres_logins`.
"""

import csv
import io
import json
import re
import shlex
from collections.abc import Mapping

from pydantic import SecretStr

from mlflow_compose.identity import HEADER, Identity
from mlflow_compose.settings import Settings
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.stack import keys
from mlflow_compose.stack.service import SecretFile

# Secret names: files below `secrets/`, and secrets in Compose.
APP_KEY = "s3_app_key"
ROOT_KEY = "s3_root_key"
MINIO_ROOT_USER = "minio_root_user"
MINIO_ROOT_PASSWORD = "minio_root_password"  # noqa: S105 - its name
RCLONE_AUTH_KEY = "rclone_auth_key"
S3_KEYS = "s3_keys.json"
SEAWEEDFS_IDENTITIES = "seaweedfs_s3.json"
AUTH_CONFIG = "basic_auth.ini"
MLFLOW_ENV = "mlflow_env"
JUPYTER_TOKEN = "jupyter_token"  # noqa: S105 - its name
JUPYTER_LOGIN = "jupyter_login.json"
PGADMIN_PASSWORD = "pgadmin_password"  # noqa: S105 - its name
PIP_INDEX_URL = "pip_index_url"
MODEL_LOGIN = "model_login.json"

MASKED_LENGTH = 4
# For so long, each of MLflow's workers accepts a password that was changed meanwhile.
LOGIN_CACHE_SECONDS = 5


def app_key(settings: Settings) -> SecretFile:
    """Return the application's S3 key."""
    return SecretFile(
        APP_KEY,
        _credentials_file(settings.minio_access_key, settings.minio_secret_access_key),
        "The S3 key that MLflow uses.",
    )


def root_key(settings: Settings) -> SecretFile:
    """Return the S3 server's root key, in the format of S3 clients."""
    return SecretFile(
        ROOT_KEY,
        _credentials_file(settings.minio_root_user, settings.minio_root_password),
        "The S3 root key, only for bucket-init.",
    )


def minio_root_user(settings: Settings) -> SecretFile:
    """Return the S3 server's root user."""
    return SecretFile(
        MINIO_ROOT_USER, reveal(settings.minio_root_user), "Root user of the S3 server."
    )


def minio_root_password(settings: Settings) -> SecretFile:
    """Return the S3 server's root password."""
    return SecretFile(
        MINIO_ROOT_PASSWORD, reveal(settings.minio_root_password), "Root password of the S3 server."
    )


def rclone_auth_key(settings: Settings) -> SecretFile:
    """Return the application's key in rclone's format: one CSV field."""
    line = io.StringIO()
    pair = f"{reveal(settings.minio_access_key)},{reveal(settings.minio_secret_access_key)}"
    csv.writer(line, lineterminator="").writerow([pair])
    return SecretFile(RCLONE_AUTH_KEY, line.getvalue(), "The only S3 key, in rclone's format.")


def s3_keys(folders: Mapping[tuple[str, str], str]) -> SecretFile:
    """Return the keys that rclone accepts, each with its folder.

    Args:
        folders: Folders by key: id and secret.
    """
    keys_by_id = {
        key_id: {"secret": secret, "folder": found} for (key_id, secret), found in folders.items()
    }
    text = json.dumps(keys_by_id, indent=2, ensure_ascii=False) + "\n"
    about = "The S3 keys of the stack and its seats, each with its folder."
    return SecretFile(S3_KEYS, text, about, is_reread=True)


def seaweedfs_identities(settings: Settings) -> SecretFile:
    """Return the keys that SeaweedFS is started with, and their permissions.

    https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API
    """
    identities = [
        _identity("root", settings.minio_root_user, settings.minio_root_password, ["Admin"]),
        _identity(
            "application",
            settings.minio_access_key,
            settings.minio_secret_access_key,
            _use_of(settings.mlflow_bucket_name),
        ),
    ]
    if settings.mlflow_bucket_name != keys.DVC_BUCKET:
        key_id, secret = map(SecretStr, keys.dvc_key(settings, keys.DVC_BUCKET))
        identities.append(_identity("dvc", key_id, secret, _use_of(keys.DVC_BUCKET)))
    text = json.dumps({"identities": identities}, indent=2, ensure_ascii=False)
    return SecretFile(SEAWEEDFS_IDENTITIES, text + "\n", "The S3 keys and their permissions.")


def auth_config(settings: Settings, backend_uri: str) -> SecretFile:
    """Return MLflow's login configuration (`mlflow/server/auth/basic_auth.ini` upstream)."""
    # configparser expands % in values.
    password = reveal(settings.mlflow_admin_password).replace("%", "%%")
    username = settings.mlflow_admin_username.replace("%", "%%")
    text = (
        "[mlflow]\n"
        # With READ, the upstream default, every user sees the runs of all others.
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = {backend_uri}\n"
        f"admin_username = {username}\n"
        f"admin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        # Checking a password costs 100 ms of hashing; with the cache, requests are 12 times faster.
        f"auth_cache_ttl_seconds = {LOGIN_CACHE_SECONDS}\n"
    )
    return SecretFile(AUTH_CONFIG, text, "MLflow's login configuration, with the first admin.")


def model_login(settings: Settings) -> SecretFile:
    """Return the login with which servers of models fetch them."""
    login = {
        "MLFLOW_TRACKING_USERNAME": settings.mlflow_admin_username,
        "MLFLOW_TRACKING_PASSWORD": reveal(settings.mlflow_admin_password),
    }
    text = json.dumps(login, ensure_ascii=False, indent=2) + "\n"
    return SecretFile(MODEL_LOGIN, text, "The login with which served models are fetched.")


def server_environment(settings: Settings, identity: Identity) -> SecretFile:
    """Return the script that MLflow's entry point sources: secret variables, and the stack's id.

    MLflow reads its secrets from the environment only. In a file, `docker inspect` does not show
    them, and the rendered Compose file is the same for every stack.
    """
    secret = {
        name: value
        for name, value in settings.server_variables.items()
        if is_secret_variable(name, value)
    }
    secret = {**keys.derived(settings, identity.key), **secret}
    # uvicorn reads its options from variables, too (click's auto_envvar_prefix); every response
    # then carries the stack's id.
    secret["UVICORN_HEADERS"] = f"{HEADER}:{identity.id}/{settings.compose_project_name}"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(secret.items())]
    return SecretFile(
        MLFLOW_ENV, "".join(lines), "Secret environment variables of MLflow, and the stack's id."
    )


def jupyter_token(settings: Settings) -> SecretFile:
    """Return the token of JupyterLab, which reads it from this file (JUPYTER_TOKEN_FILE)."""
    return SecretFile(JUPYTER_TOKEN, reveal(settings.jupyter_token), "Token of JupyterLab.")


def jupyter_login(settings: Settings) -> SecretFile:
    """Return the variables with which notebooks log in to MLflow."""
    login = {
        "MLFLOW_TRACKING_USERNAME": settings.mlflow_admin_username,
        "MLFLOW_TRACKING_PASSWORD": reveal(settings.mlflow_admin_password),
    }
    text = json.dumps(login, indent=2) + "\n"
    return SecretFile(JUPYTER_LOGIN, text, "How notebooks log in to MLflow.")


def pgadmin_password(settings: Settings) -> SecretFile:
    """Return the password of pgAdmin's login."""
    password = reveal(settings.pgadmin_password)
    return SecretFile(PGADMIN_PASSWORD, password, "Password of pgAdmin's login.")


def pip_index_url(settings: Settings) -> SecretFile:
    """Return the package index of the build; its URL may contain a password."""
    return SecretFile(PIP_INDEX_URL, reveal(settings.pip_index_url), "Package index for the build.")


def texts(settings: Settings, stack_id: str) -> tuple[str, ...]:
    """Return every secret text, longest first, to mask output of servers and tools."""
    found = {reveal(value) for _, value in settings if isinstance(value, SecretStr)}
    found.add(keys.reader(settings, stack_id)[1])
    found |= {v for name, v in settings.server_variables.items() if is_secret_variable(name, v)}
    # A password in a URL is also printed without the URL.
    found |= {match[1] for text in found if (match := re.search(r"://[^/\s]*:([^/\s]+)@", text))}
    # Request logs print the fields of a JSON value one by one.
    found |= {match[1] for text in found for match in re.finditer(r'Key"\s*:\s*"([^"]+)"', text)}
    # Shorter ones would match inside ordinary words.
    return tuple(sorted((text for text in found if len(text) >= MASKED_LENGTH), key=len)[::-1])


def reveal(secret: SecretStr) -> str:
    """Return the text of a secret."""
    return secret.get_secret_value()


def _credentials_file(key_id: SecretStr, secret: SecretStr) -> str:
    # https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
    return (
        "[default]\n"
        f"aws_access_key_id = {reveal(key_id)}\n"
        f"aws_secret_access_key = {reveal(secret)}\n"
    )


def _use_of(bucket: str) -> list[str]:
    return [f"{action}:{bucket}" for action in ("Read", "Write", "List")]


def _identity(
    name: str, key_id: SecretStr, secret: SecretStr, actions: list[str]
) -> dict[str, object]:
    key = {"accessKey": reveal(key_id), "secretKey": reveal(secret)}
    return {"name": name, "credentials": [key], "actions": actions}
