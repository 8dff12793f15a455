"""The settings themselves, in the order of `.env.example`."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mlflow_compose.settings.classroom import ClassSettings
from mlflow_compose.settings.fields import (
    Image,
    IndexUrl,
    IpAddress,
    Memory,
    MemoryTarget,
    Models,
    OneLine,
    OptionalImage,
    ProjectName,
    SharedBuffers,
    WorkerMemory,
    section_of,
    setting,
)
from mlflow_compose.settings.kubernetes import KubernetesSettings
from mlflow_compose.settings.notebooks import NotebookSettings
from mlflow_compose.settings.pgadmin import PgAdminSettings
from mlflow_compose.settings.profiles import Profile
from mlflow_compose.settings.sections import (
    IMAGES,
    MEMORY,
    SECTIONS,
    SERVING,
    STACK,
)
from mlflow_compose.settings.served import ServedModel, served_models
from mlflow_compose.settings.server import ServerSettings
from mlflow_compose.settings.stores import ROOT_KEY, StoreSettings
from mlflow_compose.settings.tls import TlsSettings

# Settings of a store besides those in StoreSettings.
STORE_IMAGES_AND_MEMORY = (
    "postgres_image",
    "minio_image",
    "pg_memory",
    "minio_memory",
    "pg_shared_buffers",
    "minio_memory_target",
)
STORE_PREFIX = "MLFLOW_S3_"


class Settings(
    ServerSettings,
    StoreSettings,
    NotebookSettings,
    PgAdminSettings,
    TlsSettings,
    ClassSettings,
    KubernetesSettings,
):
    """Every setting of a stack, from `.env` and the environment.

    It never reads the process environment directly: `load` passes both sources in.
    """

    model_config = SettingsConfigDict(
        frozen=True, alias_generator=str.upper, validate_default=False, extra="forbid"
    )

    compose_project_name: ProjectName = setting(
        "mlflow",
        "Name of the stack; its containers, volumes and network are named after it.",
        section=STACK,
    )
    stack_engine: Literal["auto", "docker", "local", "kubernetes"] = setting(
        "auto",
        "Engine: docker, local (without Docker), kubernetes, or auto (docker if available, "
        "otherwise local).",
        section=STACK,
    )
    stack_bind_address: IpAddress = setting(
        "127.0.0.1",
        "Address that published ports bind to; non-loopback ones require MLFLOW_AUTH=basic.",
        section=STACK,
    )

    stack_profile: Profile = setting(
        "default",
        "Defaults for a machine: default, small (little memory) or fast (docs/how-to/profiles.md).",
        section=STACK,
    )

    stack_models: Models = setting(
        "",
        "Served models, such as wine@champion=5100 fraud/3=5101:1g (docs/how-to/serve.md).",
        section=SERVING,
    )
    stack_models_address: IpAddress = setting(
        "127.0.0.1",
        "Address that served models bind to; they have no login, so others can use them.",
        section=SERVING,
    )

    postgres_image: Image = setting(
        "postgres:18.4", "Image of the PostgreSQL server.", section=IMAGES
    )
    minio_image: OptionalImage = setting(
        "",
        "Image of the S3 server; empty: the pinned one of S3_PROVIDER (docs/how-to/stores.md).",
        section=IMAGES,
    )
    python_image: Image = setting(
        "python:3.13.13-slim-trixie", "Base image of the MLflow image.", section=IMAGES
    )
    mlflow_image: OptionalImage = setting(
        "",
        "MLflow image built elsewhere from compose/mlflow; empty: build it on this machine.",
        section=IMAGES,
    )
    pip_index_url: IndexUrl = setting(
        SecretStr(""), "Package index for the build; empty: the default index.", section=IMAGES
    )
    build_ca_certs: OneLine = setting(
        "", "Additional CA certificates (PEM file) that the build trusts.", section=IMAGES
    )

    mlflow_memory: Memory = setting("", "Memory limit of mlflow.", section=MEMORY)
    pg_memory: Memory = setting("", "Memory limit of postgres.", section=MEMORY)
    minio_memory: Memory = setting("", "Memory limit of s3.", section=MEMORY)
    mlflow_worker_memory: WorkerMemory = setting(
        "1g",
        "Memory above which one of several MLflow server processes is replaced (on Linux).",
        section=MEMORY,
    )
    pg_shared_buffers: SharedBuffers = setting(
        "64m",
        "Memory in which the bundled PostgreSQL caches its data; empty: start it without options.",
        section=MEMORY,
    )
    minio_memory_target: MemoryTarget = setting(
        "96m", "Memory that s3 tries to stay below; it never fails because of it.", section=MEMORY
    )

    # Not a setting: variables that MLflow defines for its server, passed through unchanged.
    server_variables: Mapping[str, str] = Field(default={}, repr=False, exclude=True)

    @property
    def has_memory_limits(self) -> bool:
        """Whether the memory of any server is limited."""
        limits = (self.mlflow_memory, self.pg_memory, self.minio_memory)
        return any((*limits, self.jupyter_memory, self.pgadmin_memory))

    @property
    def uses_proxy(self) -> bool:
        """Whether a proxy publishes ports of other services, on a single machine."""
        return self.uses_tls or self.mlflow_replicas > 1

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """The models that the stack serves."""
        return served_models(self.stack_models)

    @property
    def unused_secrets(self) -> frozenset[str]:
        """The variables of the secrets that the chosen stores do not use."""
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
        """Use only the values that the caller passes, never the process environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def declared() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every variable that users may set, with its declaration, by section."""
    for section in SECTIONS:
        for name, info in Settings.model_fields.items():
            if section_of(info) == section:
                yield name.upper(), info


def belongs_to_store(name: str) -> bool:
    """Tell whether a variable belongs to one of the two stores, or to the server that runs it."""
    fields = {*StoreSettings.model_fields, *STORE_IMAGES_AND_MEMORY, "mlflow_bucket_name"}
    return name.lower() in fields or name.startswith(STORE_PREFIX)


def changed_names(old: Settings, new: Settings) -> tuple[str, ...]:
    """Return the variables that differ, sorted."""
    before, after = (
        {**{name.upper(): value for name, value in found}, **found.server_variables}
        for found in (old, new)
    )
    names = (before.keys() | after.keys()) - {"SERVER_VARIABLES"}
    return tuple(sorted(name for name in names if before.get(name) != after.get(name)))
