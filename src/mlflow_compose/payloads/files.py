"""What the commands about files print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.payloads.key import Absent, key, optional_key


@dataclass(frozen=True)
class Created:
    """`init`."""

    env_file: str = key("Path of the new env file.")
    renamed: Mapping[str, str] | Absent = optional_key(
        "With `--from`: name in the other file, by the setting that took its value."
    )
    left_out: Mapping[str, str] | Absent = optional_key(
        "With `--from`: reason, by the name that was not taken over."
    )
    secrets: bool | Absent = optional_key(
        "With `--from` and a snapshot: whether the secrets are the snapshot's, or new."
    )


@dataclass(frozen=True)
class FileChange:
    """A rendered file that differs from disk."""

    path: str = key("Path from the folder.")
    action: str = key("`create`, `update` or `remove`.")


@dataclass(frozen=True)
class Rendered:
    """`render`, also with `--check` or `--diff`."""

    folder: str = key("Folder of the rendered files.")
    changes: Sequence[FileChange] = key("Files that were written, or would be.")
    install: Sequence[str] | Absent = optional_key(
        "Of units or a chart that was written: commands that install and start it."
    )


@dataclass(frozen=True)
class Setting:
    """A setting in use."""

    value: str = key("Value as text; `********` for a secret.")
    source: str = key("`default`, `environment`, or the env file.")


@dataclass(frozen=True)
class Config:
    """`config`."""

    settings: Mapping[str, Setting] = key("Settings by name.")
    foreign: Sequence[str] = key(
        "Names in the env file that are not settings, such as `AWS_PROFILE`."
    )
    s3_key_is_limited: bool | None = key(
        "Whether MLflow's S3 key may use only the bucket; null without a bundled S3 server."
    )


@dataclass(frozen=True)
class DeclaredSetting:
    """A setting that can be set."""

    default: str = key("Default as text; `random` for a generated secret.")
    about: str = key("Description.")


@dataclass(frozen=True)
class SettingsList:
    """`config --list`."""

    settings: Mapping[str, DeclaredSetting] = key("Settings by name.")
