"""Variables and secret files that a service needs to reach the stores."""

from collections.abc import Iterator, Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.stack import certificates, credentials, postgres_logins
from mlflow_compose.stack.service import SecretFile
from mlflow_compose.stack.site import Site

# Read by boto3.
CREDENTIALS = "AWS_SHARED_CREDENTIALS_FILE"
DEFAULT_CHECKSUMS = "when_supported"


def database_secrets(settings: Settings, site: Site, home: str) -> tuple[SecretFile, ...]:
    """Return the secret files of a PostgreSQL client; the service file comes first."""
    trusted = certificates.postgres_ca_certs(settings, home)
    path = site.certificates(trusted) if trusted else ""
    service = postgres_logins.service(settings, site.database, path)
    return (service, trusted) if trusted else (service,)


def reader_secrets(
    settings: Settings, site: Site, stack_id: str, home: str
) -> tuple[SecretFile, ...]:
    """Return the secret files of a client that can only read; the service file comes first."""
    trusted = certificates.postgres_ca_certs(settings, home)
    path = site.certificates(trusted) if trusted else ""
    service = postgres_logins.reader(settings, stack_id, site.database, path)
    return (service, trusted) if trusted else (service,)


def s3_environment(settings: Settings, site: Site, home: str) -> Mapping[str, str]:
    """Return the variables of an S3 client, without its key."""
    return dict(_s3_variables(settings, site, home))


def s3_login(settings: Settings, site: Site, variable: str = CREDENTIALS) -> Mapping[str, str]:
    """Return the variable with the path of the application's key; none if AWS gives a role."""
    return {} if settings.uses_role else {variable: site.secret(credentials.APP_KEY)}


def s3_secrets(settings: Settings, home: str) -> tuple[SecretFile, ...]:
    """Return the secret files of an S3 client; the application's key comes first."""
    key = None if settings.uses_role else credentials.app_key(settings)
    possible = (key, certificates.s3_ca_certs(settings, home))
    return tuple(secret for secret in possible if secret)


def _s3_variables(settings: Settings, site: Site, home: str) -> Iterator[tuple[str, str]]:
    yield "AWS_DEFAULT_REGION", settings.aws_default_region
    if trusted := certificates.s3_ca_certs(settings, home):
        yield "AWS_CA_BUNDLE", site.certificates(trusted)
    if settings.minio_storage_checksums != DEFAULT_CHECKSUMS:
        yield "AWS_REQUEST_CHECKSUM_CALCULATION", settings.minio_storage_checksums
        yield "AWS_RESPONSE_CHECKSUM_VALIDATION", settings.minio_storage_checksums
