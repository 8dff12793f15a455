"""`init --from` a snapshot: its settings, and its secrets or new ones."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow_compose.actions.files import check_new, write_env_file
from mlflow_compose.actions.private import ENV, KEY
from mlflow_compose.data.backup.peek import Peeked, is_snapshot, peek
from mlflow_compose.data.backup.sealed import unseal
from mlflow_compose.errors import FilesError
from mlflow_compose.identity import KEY_FILE, read_id, read_key
from mlflow_compose.paths import StackPaths, stack_paths, write_state
from mlflow_compose.payloads import Created
from mlflow_compose.result import Result
from mlflow_compose.settings import new_env_text, without_secrets
from mlflow_compose.settings.envfile import edit
from mlflow_compose.settings.stores import BUNDLED_POSTGRES, BUNDLED_S3

__all__ = ["init_from_snapshot", "is_snapshot"]

# Secrets of external servers, which cannot be random, by the setting that names the server.
EXTERNAL = {
    "PG_HOST": (BUNDLED_POSTGRES, "PG_PASSWORD"),
    "MINIO_HOST": (BUNDLED_S3, "MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"),
}


def init_from_snapshot(
    env_file: Path,
    given: Mapping[str, str],
    source: Path,
    passphrase: Callable[[], str] | None,
) -> Result:
    """Write a new env file with the settings of a snapshot; never touch an existing one.

    Args:
        env_file: Path of the new env file.
        given: Values to write instead, by name.
        source: The snapshot.
        passphrase: Returns the passphrase of the snapshot's secrets, which may ask for it; None
            for new secrets.

    Raises:
        EnvFileError: The env file already exists, or cannot be written.
        SettingsError: A value is wrong here; nothing is written.
        SnapshotError: The snapshot is damaged, or the passphrase is wrong.
        FilesError: The folder has the key of another stack.
    """
    found = peek(source)
    check_new(env_file)
    files = unseal(found.sealed, passphrase()) if passphrase and found.sealed else {}
    text = edit(files[ENV].decode(), given) if files else _with_new_secrets(found, given)
    paths = stack_paths(env_file)
    key = files.get(KEY, b"").decode().strip()
    if key:
        _check_key(paths, key)
    write_env_file(env_file, text)
    if key:
        write_state(paths, KEY_FILE, f"{key}\n")
    lines = [*_lines(env_file, found, files, given), f"Next       mlflow-compose restore {source}"]
    return Result(Created(str(env_file), secrets=bool(files)), lines)


def _with_new_secrets(found: Peeked, given: Mapping[str, str]) -> str:
    # A snapshot may come from anyone: secrets that others know would not be secret.
    settings = without_secrets(found.manifest.settings)
    return new_env_text({**settings, **given}, choice=secrets.choice)


def _check_key(paths: StackPaths, key: str) -> None:
    """Refuse to replace the key of a stack whose data may still be there."""
    if (read_id(paths.root) or read_key(paths.root)) and read_key(paths.root) != key:
        raise FilesError(
            f"{paths.state} belongs to another stack, whose data this snapshot's key cannot read",
            hint="choose an empty folder (mkdir NAME && cd NAME), then run the command again",
        )


def _lines(
    env_file: Path, found: Peeked, files: Mapping[str, bytes], given: Mapping[str, str]
) -> list[str]:
    name = found.manifest.name
    if files:
        return [f"created {env_file} with the settings and secrets of the snapshot {name}"]
    settings = {**found.manifest.settings, **given}
    unknown = [
        f"set {secret} in {env_file.name}: the server {settings[host]} is not part of the stack"
        for host, (bundled, secret) in EXTERNAL.items()
        if settings.get(host, bundled) != bundled and secret.split()[0] not in given
    ]
    done = f"created {env_file} with the settings of the snapshot {name} and new random secrets"
    return [*unknown, done]
