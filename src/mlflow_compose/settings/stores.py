"""The settings of the two stores: the backend store (runs) and the artifact store."""

from typing import Literal

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import (
    ConsoleAddress,
    DatabaseName,
    DatabaseUser,
    Flag,
    Generated,
    Host,
    KeyId,
    LongSecret,
    OneLine,
    Port,
    Region,
    Secret,
    setting,
)
from mlflow_compose.settings.sections import POSTGRES, S3

# Hosts with a special meaning: the bundled services, and a provider whose endpoints clients know.
BUNDLED_POSTGRES, BUNDLED_S3, AWS = "postgres", "s3", "aws"
# Settings that determine where data is: if one changes, the stack looks elsewhere.
PLACES = (
    *("backend_store", "pg_host", "pg_port", "pg_database"),
    *("artifact_store", "s3_provider", "mlflow_bucket_name", "minio_volume_path"),
    *("minio_host", "minio_port", "minio_storage_use_https", "aws_default_region"),
)
# Used only by S3 servers that have a root user besides the application.
ROOT_KEY = frozenset({"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"})


class StoreSettings(BaseSettings):
    """Where MLflow stores runs and artifacts."""

    backend_store: Literal["postgres", "sqlite"] = setting(
        "postgres",
        "Where MLflow stores runs: postgres, or sqlite (a single file, for small stacks).",
        section=POSTGRES,
    )
    pg_user: DatabaseUser = setting("mlflow", "Database user.", section=POSTGRES)
    pg_password: Secret = setting(
        Generated(24),
        "Password of PG_USER; to change it after the first start, change it in PostgreSQL too.",
        section=POSTGRES,
    )
    pg_host: Host = setting(
        "postgres",
        "Database host: postgres is the bundled service, any other name an external server.",
        section=POSTGRES,
    )
    pg_sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = (
        setting(
            "prefer",
            "TLS mode for an external database, as in libpq (such as require or verify-full).",
            section=POSTGRES,
        )
    )
    pg_sslrootcert: OneLine = setting(
        "",
        "CA certificates (PEM file) for verifying an external database.",
        section=POSTGRES,
    )
    pg_port: Port = setting(
        5432,
        "Port on this machine (if published, or without Docker), or port of an external PG_HOST.",
        section=POSTGRES,
    )
    pg_database: DatabaseName = setting("mlflow", "Database name.", section=POSTGRES)
    pg_publish: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Publish the bundled PostgreSQL on STACK_BIND_ADDRESS:PG_PORT.",
        section=POSTGRES,
    )

    artifact_store: Literal["s3", "local"] = setting(
        "s3", "Where MLflow stores artifacts: s3, or local (a folder on the server).", section=S3
    )
    s3_provider: Literal["minio", "versitygw", "rclone", "seaweedfs", "rustfs"] = setting(
        "minio",
        "Bundled S3 server: minio, versitygw, rclone, seaweedfs or rustfs; each has its own data.",
        section=S3,
    )
    minio_host: Host = setting(
        "s3",
        "S3 host: s3 is the bundled service, aws is Amazon S3, any other name an external server.",
        section=S3,
    )
    minio_port: Port = setting(
        9000, "Port of S3 on this machine, or port of an external MINIO_HOST.", section=S3
    )
    minio_storage_use_https: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Use HTTPS for an external S3 server; the bundled servers only use HTTP.",
        section=S3,
    )
    minio_storage_ca_certs: OneLine = setting(
        "", "CA certificates (PEM file) for verifying an external S3 server.", section=S3
    )
    minio_storage_checksums: Literal["when_supported", "when_required"] = setting(
        "when_supported",
        "When to send S3 checksums; when_required is for servers that reject the newer ones.",
        section=S3,
    )
    mlflow_bucket_create: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Create the bucket on an external S3 server if it does not exist.",
        section=S3,
    )
    s3_credentials: Literal["key", "role"] = setting(
        "key",
        "Login to S3: key (MINIO_ACCESS_KEY), or role (of the machine in AWS; MINIO_HOST=aws).",
        section=S3,
    )
    minio_access_key: KeyId = setting(
        Generated(20),
        "S3 access key id that MLflow uses; limited to the bucket if the server supports it.",
        section=S3,
    )
    minio_secret_access_key: LongSecret = setting(
        Generated(40), "S3 secret access key that MLflow uses, at least 8 characters.", section=S3
    )
    minio_root_user: KeyId = setting(
        Generated(20),
        "Root user of the bundled S3 server, known only to s3 and bucket-init.",
        section=S3,
    )
    minio_root_password: LongSecret = setting(
        Generated(40), "Root password of the bundled S3 server, at least 8 characters.", section=S3
    )
    minio_console_address: ConsoleAddress = setting(
        ":9001",
        "Port of the MinIO console, with a colon (S3_PROVIDER=minio only); empty: no console.",
        section=S3,
    )
    minio_volume_path: OneLine = setting(
        "",
        "Folder on this machine for the objects; empty: a volume (minio_data for minio).",
        section=S3,
    )
    aws_default_region: Region = setting("us-east-1", "Region for S3 requests.", section=S3)

    @property
    def has_console(self) -> bool:
        """Whether the S3 server has a console to publish."""
        return self.s3_provider == "minio" and bool(self.minio_console_address)

    @property
    def bundles_postgres(self) -> bool:
        """Whether the stack runs a database server itself."""
        return self.backend_store == "postgres" and self.pg_host == BUNDLED_POSTGRES

    @property
    def bundles_s3(self) -> bool:
        """Whether the stack runs an S3 server itself."""
        return self.artifact_store == "s3" and self.minio_host == BUNDLED_S3

    @property
    def uses_role(self) -> bool:
        """Whether AWS itself gives the stack's services their S3 credentials."""
        return self.s3_credentials == "role"

    @property
    def unused_secrets(self) -> frozenset[str]:
        """The variables of the secrets that the chosen stores do not use."""
        unused: set[str] = set()
        if self.backend_store == "sqlite":
            unused |= {"PG_PASSWORD"}
        if not self.bundles_s3 or self.s3_provider == "rclone":
            unused |= ROOT_KEY
        if self.artifact_store == "local" or self.uses_role:
            unused |= {"MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"}
        return frozenset(unused)
