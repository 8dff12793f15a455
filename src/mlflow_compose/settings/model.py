"""The settings themselves, in the order in which `.env.example` shows them."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mlflow_compose.settings.fields import (
    BucketName,
    ConsoleAddress,
    DatabaseName,
    DatabaseUser,
    Flag,
    Generated,
    Image,
    IndexUrl,
    IpAddress,
    KeyId,
    LoginName,
    LoginPassword,
    LongSecret,
    Memory,
    OneLine,
    OptionalImage,
    Port,
    ProjectName,
    Region,
    Secret,
    Version,
    Workers,
    section_of,
    setting,
)

STACK = "Stack"
MLFLOW = "MLflow"
POSTGRES = "PostgreSQL: experiments, runs, params, metrics"
S3 = "S3: artifacts"
IMAGES = "Images"
MEMORY = "Memory limits, in Compose's notation; empty is no limit"

PINNED_MLFLOW = "3.17.2"


class Settings(BaseSettings):
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

    backend_store: Literal["postgres"] = setting(
        "postgres", "Where MLflow keeps runs: postgres.", section=POSTGRES
    )
    pg_user: DatabaseUser = setting("mlflow", "Database user.", section=POSTGRES)
    pg_password: Secret = setting(
        Generated(24),
        "Password of PG_USER; a change after the first start does not change the database.",
        section=POSTGRES,
    )
    pg_host: Literal["postgres"] = setting(
        "postgres", "Database host: postgres is the bundled service.", section=POSTGRES
    )
    pg_port: Port = setting(
        5432,
        "Port on this machine: where published, and always without Docker.",
        section=POSTGRES,
    )
    pg_database: DatabaseName = setting("mlflow", "Database name.", section=POSTGRES)
    pg_publish: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Publish PostgreSQL on STACK_BIND_ADDRESS:PG_PORT.",
        section=POSTGRES,
    )

    artifact_store: Literal["s3"] = setting("s3", "Where MLflow keeps artifacts: s3.", section=S3)
    s3_provider: Literal["minio"] = setting("minio", "Bundled S3 server: minio.", section=S3)
    minio_host: Literal["s3"] = setting("s3", "S3 host: s3 is the bundled service.", section=S3)
    minio_port: Port = setting(9000, "Port on this machine where S3 answers.", section=S3)
    minio_storage_use_https: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Whether S3 speaks HTTPS; the bundled service does not.",
        section=S3,
    )
    minio_access_key: KeyId = setting(
        Generated(20), "The application's key id: may use the bucket and nothing else.", section=S3
    )
    minio_secret_access_key: LongSecret = setting(
        Generated(40), "The application's secret key, 8 characters or more.", section=S3
    )
    minio_root_user: KeyId = setting(
        Generated(20), "The S3 server's root; only s3 and bucket-init see it.", section=S3
    )
    minio_root_password: LongSecret = setting(
        Generated(40), "The S3 server's root password, 8 characters or more.", section=S3
    )
    minio_console_address: ConsoleAddress = setting(
        ":9001", "Console of the S3 server, as MinIO spells it; empty: no console.", section=S3
    )
    minio_volume_path: OneLine = setting(
        "", "Folder on this machine for the objects; empty: the volume minio_data.", section=S3
    )
    aws_default_region: Region = setting("us-east-1", "Region that requests name.", section=S3)

    postgres_image: Image = setting("postgres:18.4", "PostgreSQL server.", section=IMAGES)
    minio_image: Image = setting(
        "pgsty/silo:RELEASE.2026-09-16T00-00-00Z"
        "@sha256:635197cb9f36d01bee221d34d1c7d7960f6a95c48b0b6c01d99cd13bdae51a46",
        "S3 server: a maintained fork of MinIO, whose own images were withdrawn.",
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
    """Yield every variable that users may set, with its declaration."""
    for name, info in Settings.model_fields.items():
        if section_of(info):
            yield name.upper(), info
