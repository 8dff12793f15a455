"""The settings of the two stores: where runs are kept, and where artifacts are."""

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

# Hosts that mean a service of the stack's own, or a provider whose endpoints clients know.
BUNDLED_POSTGRES, BUNDLED_S3, AWS = "postgres", "s3", "aws"
# Settings that say where data is: a changed one makes a stack look elsewhere.
PLACES = (
    *("backend_store", "pg_host", "pg_port", "pg_database"),
    *("artifact_store", "s3_provider", "mlflow_bucket_name", "minio_volume_path"),
    *("minio_host", "minio_port", "minio_storage_use_https", "aws_default_region"),
)
# Of a server that knows a root besides the application.
ROOT_KEY = frozenset({"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"})


class StoreSettings(BaseSettings):
    """Where MLflow keeps runs and artifacts."""

    backend_store: Literal["postgres", "sqlite"] = setting(
        "postgres",
        "Where MLflow keeps runs: postgres, or sqlite, a file for the smallest of stacks.",
        section=POSTGRES,
    )
    pg_user: DatabaseUser = setting("mlflow", "Database user.", section=POSTGRES)
    pg_password: Secret = setting(
        Generated(24),
        "Password of PG_USER; a change after the first start does not change the database.",
        section=POSTGRES,
    )
    pg_host: Host = setting(
        "postgres",
        "Database host: postgres is the bundled service, any other name a server of yours.",
        section=POSTGRES,
    )
    pg_sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = (
        setting(
            "prefer",
            "How far an external database must prove itself by TLS, in libpq's words.",
            section=POSTGRES,
        )
    )
    pg_sslrootcert: OneLine = setting(
        "",
        "File of CA certificates that an external database is checked with (PEM).",
        section=POSTGRES,
    )
    pg_port: Port = setting(
        5432,
        "Port on this machine: where published, and always without Docker; or the port of PG_HOST.",
        section=POSTGRES,
    )
    pg_database: DatabaseName = setting("mlflow", "Database name.", section=POSTGRES)
    pg_publish: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Publish PostgreSQL on STACK_BIND_ADDRESS:PG_PORT.",
        section=POSTGRES,
    )

    artifact_store: Literal["s3", "local"] = setting(
        "s3", "Where MLflow keeps artifacts: s3, or local, a folder of the server.", section=S3
    )
    s3_provider: Literal["minio", "versitygw", "rclone", "seaweedfs", "rustfs"] = setting(
        "minio",
        "Bundled S3 server: minio, versitygw, rclone, seaweedfs or rustfs; each has data of its "
        "own.",
        section=S3,
    )
    minio_host: Host = setting(
        "s3",
        "S3 host: s3 is the bundled service, aws is Amazon's, any other name a server of yours.",
        section=S3,
    )
    minio_port: Port = setting(
        9000, "Port on this machine where S3 answers, or the port of MINIO_HOST.", section=S3
    )
    minio_storage_use_https: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Whether an external S3 speaks HTTPS; the bundled service does not.",
        section=S3,
    )
    minio_storage_ca_certs: OneLine = setting(
        "", "File of CA certificates that an external S3 is checked with (PEM).", section=S3
    )
    minio_storage_checksums: Literal["when_supported", "when_required"] = setting(
        "when_supported",
        "When requests carry new checksums; when_required is for servers that refuse them.",
        section=S3,
    )
    mlflow_bucket_create: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Whether the bucket may be made in an external S3 where it is missing.",
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
        ":9001", "Console of S3_PROVIDER minio, as MinIO spells it; empty: no console.", section=S3
    )
    minio_volume_path: OneLine = setting(
        "",
        "Folder on this machine for the objects; empty: a volume, minio_data for minio.",
        section=S3,
    )
    aws_default_region: Region = setting("us-east-1", "Region that requests name.", section=S3)

    @property
    def has_console(self) -> bool:
        """Whether the S3 server has a console that may be published."""
        return self.s3_provider == "minio" and bool(self.minio_console_address)

    @property
    def bundles_postgres(self) -> bool:
        """Whether the stack has a database server of its own."""
        return self.backend_store == "postgres" and self.pg_host == BUNDLED_POSTGRES

    @property
    def bundles_s3(self) -> bool:
        """Whether the stack has an S3 server of its own."""
        return self.artifact_store == "s3" and self.minio_host == BUNDLED_S3

    @property
    def unused_secrets(self) -> frozenset[str]:
        """The secrets that the chosen stores have no use for, by the names of their variables."""
        unused: set[str] = set()
        if self.backend_store == "sqlite":
            unused |= {"PG_PASSWORD"}
        if not self.bundles_s3 or self.s3_provider == "rclone":
            unused |= ROOT_KEY
        if self.artifact_store == "local":
            unused |= {"MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"}
        return frozenset(unused)
