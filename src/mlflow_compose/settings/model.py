"""The settings themselves, in the order in which `.env.example` shows them."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mlflow_compose.settings.fields import (
    BucketName,
    Flag,
    Generated,
    Image,
    IndexUrl,
    IpAddress,
    LoginName,
    LoginPassword,
    Memory,
    OneLine,
    OptionalImage,
    Port,
    ProjectName,
    Version,
    Workers,
    section_of,
    setting,
)
from mlflow_compose.settings.sections import IMAGES, MEMORY, MLFLOW, SECTIONS, STACK
from mlflow_compose.settings.stores import ROOT_KEY, StoreSettings

PINNED_MLFLOW = "3.17.2"


class Settings(StoreSettings):
    """Everything that a stack can be told, from `.env` and the environment.

    It never reads the process's environment by itself: `load` hands both sources in.
    """

    model_config = SettingsConfigDict(
        frozen=True, alias_generator=str.upper, validate_default=False, extra="forbid"
    )

    compose_project_name: ProjectName = setting(
        "mlflow",
        "Name of the stack: its containers, volumes and network carry it.",
        section=STACK,
    )
    stack_engine: Literal["auto", "docker", "local"] = setting(
        "auto",
        "What runs the stack: docker, local (no Docker), or auto: docker where an engine answers.",
        section=STACK,
    )
    stack_bind_address: IpAddress = setting(
        "127.0.0.1",
        "Address that published ports bind to; any but loopback needs MLFLOW_AUTH=basic.",
        section=STACK,
    )

    mlflow_port: Port = setting(5000, "Port on this machine where MLflow answers.", section=MLFLOW)
    mlflow_bucket_name: BucketName = setting("mlflow", "Bucket for artifacts.", section=MLFLOW)
    mlflow_version: Version = setting(
        PINNED_MLFLOW,
        "MLflow in the image; any other than the default is installed without pinned hashes.",
        section=MLFLOW,
    )
    mlflow_workers: Workers = setting(2, "Server processes.", section=MLFLOW)
    mlflow_jobs: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "MLflow's background job processes: 8 of them, 1.5 GB of memory.",
        section=MLFLOW,
    )
    mlflow_auth: Literal["none", "basic"] = setting(
        "none", "Login: none or basic (user name and password).", section=MLFLOW
    )
    mlflow_admin_username: LoginName = setting(
        "admin", "First admin, where login is on.", section=MLFLOW
    )
    mlflow_admin_password: LoginPassword = setting(
        Generated(24, required=False),
        "Password of the admin, 12 characters or more; change it in MLflow first, then here.",
        section=MLFLOW,
    )
    mlflow_allowed_hosts: OneLine = setting(
        "", "More host names under which MLflow may be called, with commas.", section=MLFLOW
    )
    mlflow_cors_origins: OneLine = setting(
        "", "More origins whose web pages may call MLflow, with commas.", section=MLFLOW
    )
    mlflow_artifact_access: Literal["proxied", "direct"] = setting(
        "proxied",
        "How clients reach artifacts: proxied by MLflow, or direct from S3 with the key.",
        section=MLFLOW,
    )

    postgres_image: Image = setting("postgres:18.4", "PostgreSQL server.", section=IMAGES)
    minio_image: OptionalImage = setting(
        "",
        "S3 server, of S3_PROVIDER's kind; empty: its pinned one (docs/how-to/stores.md).",
        section=IMAGES,
    )
    python_image: Image = setting(
        "python:3.13.13-slim-trixie", "What the MLflow image is built on.", section=IMAGES
    )
    mlflow_image: OptionalImage = setting(
        "",
        "An image that was built from compose/mlflow elsewhere; empty: build it here.",
        section=IMAGES,
    )
    pip_index_url: IndexUrl = setting(
        SecretStr(""), "Package index for the build; empty: the default one.", section=IMAGES
    )
    build_ca_certs: OneLine = setting(
        "", "File of CA certificates that the build trusts (PEM).", section=IMAGES
    )

    mlflow_memory: Memory = setting("", "Limit of mlflow.", section=MEMORY)
    pg_memory: Memory = setting("", "Limit of postgres.", section=MEMORY)
    minio_memory: Memory = setting("", "Limit of s3.", section=MEMORY)

    # Not a setting of ours: variables that MLflow defines for its server, handed on as they are.
    server_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)

    @property
    def has_memory_limits(self) -> bool:
        """Whether a server may not take as much memory as it wants."""
        return bool(self.mlflow_memory or self.pg_memory or self.minio_memory)

    @property
    def unused_secrets(self) -> frozenset[str]:
        """The secrets that the chosen stores have no use for, by the names of their variables."""
        # Without Docker, the S3 server is always rclone.
        return super().unused_secrets | (ROOT_KEY if self.stack_engine == "local" else frozenset())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller only: the world is a parameter."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def declared() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every variable that users may set, with its declaration, section by section."""
    for section in SECTIONS:
        for name, info in Settings.model_fields.items():
            if section_of(info) == section:
                yield name.upper(), info
