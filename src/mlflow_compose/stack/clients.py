"""Variables and secret files that a service needs to reach the stores."""

from collections.abc import Iterator, Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.service import SecretFile
from mlflow_compose.stack.site import Site

DEFAULT_CHECKSUMS = "when_supported"


def database_secrets(settings: Settings, site: Site, home: str) -> tuple[SecretFile, ...]:
    """Return the secret files of a PostgreSQL client; the service file comes first."""
    certificates = credentials.postgres_ca_certs(settings, home)
    path = site.certificates(certificates) if certificates else ""
    service = credentials.postgres_service(settings, site.database, path)
    return (service, certificates) if certificates else (service,)


def s3_environment(settings: Settings, site: Site, home: str) -> Mapping[str, str]:
    """Return the variables of an S3 client, without its key."""
    return dict(_s3_variables(settings, site, home))


def s3_secrets(settings: Settings, home: str) -> tuple[SecretFile, ...]:
    """Return the secret files of an S3 client; the application's key comes first."""
    key, certificates = credentials.app_key(settings), credentials.s3_ca_certs(settings, home)
    return (key, certificates) if certificates else (key,)


def _s3_variables(settings: Settings, site: Site, home: str) -> Iterator[tuple[str, str]]:
    yield "AWS_DEFAULT_REGION", settings.aws_default_region
    if certificates := credentials.s3_ca_certs(settings, home):
        yield "AWS_CA_BUNDLE", site.certificates(certificates)
    if settings.minio_storage_checksums != DEFAULT_CHECKSUMS:
        yield "AWS_REQUEST_CHECKSUM_CALCULATION", settings.minio_storage_checksums
        yield "AWS_RESPONSE_CHECKSUM_VALIDATION", settings.minio_storage_checksums
