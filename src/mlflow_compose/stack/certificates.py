"""Certificates that services and builds read like secrets."""

from mlflow_compose.settings import Settings
from mlflow_compose.stack.service import SecretFile, from_home
from mlflow_compose.tls import Certificate

# Names of the files below `secrets/`.
PG_CA_CERTS = "pg_ca_certs"
S3_CA_CERTS = "s3_ca_certs"
BUILD_CA_CERTS = "build_ca_certs"
TLS_CERTIFICATE, TLS_KEY = "tls_certificate.pem", "tls_key.pem"


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


def tls_files(certificate: Certificate) -> tuple[SecretFile, SecretFile]:
    """Return the proxy's certificate and its private key.

    They are copies: the user's own files may only be readable for root.
    """
    return (
        SecretFile(TLS_CERTIFICATE, certificate.chain, "Certificate of the proxy."),
        SecretFile(TLS_KEY, certificate.key, "Private key of the proxy's certificate."),
    )
