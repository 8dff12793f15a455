"""CA certificates of the user, which services and builds read like secrets."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack.service import SecretFile, from_home

# Names of the files below `secrets/`.
PG_CA_CERTS = "pg_ca_certs"
S3_CA_CERTS = "s3_ca_certs"
BUILD_CA_CERTS = "build_ca_certs"


def postgres_ca_certs(settings: Settings, home: str) -> SecretFile | None:
    """Return the CA certificates to verify an external database with."""
    file = settings.pg_sslrootcert
    about = "CA certificates by which the database is verified."
    return SecretFile(PG_CA_CERTS, "", about, file=from_home(file, home)) if file else None


def s3_ca_certs(settings: Settings, home: str) -> SecretFile | None:
    """Return the CA certificates to verify an external S3 server with."""
    file = settings.minio_storage_ca_certs
    about = "CA certificates by which the S3 server is verified."
    return SecretFile(S3_CA_CERTS, "", about, file=from_home(file, home)) if file else None


def build_ca_certs(file: str) -> SecretFile:
    """Return the CA certificates of the build."""
    return SecretFile(BUILD_CA_CERTS, "", "CA certificates that the build trusts.", file=file)
