"""The certificate of a stack's proxy: the stack's own, or the user's."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlflow_compose.errors import SettingsError
from mlflow_compose.paths import StackPaths
from mlflow_compose.settings import Settings
from mlflow_compose.stack import wanted_names
from mlflow_compose.tls import Certificate, expiry, keep_own, own_certificate, read_files

INTERNAL = "internal"
# Public CAs renew certificates when a month is left.
SOON = timedelta(days=14)


def certificate_of(
    settings: Settings, paths: StackPaths, stack_id: str, lan_names: Sequence[str]
) -> Certificate | None:
    """Return the certificate of a stack's proxy, None without one; nothing is written.

    Raises:
        FilesError: A file cannot be read.
    """
    if not settings.uses_tls:
        return None
    if settings.stack_tls == INTERNAL:
        return own_certificate(paths, stack_id, wanted_names(settings, lan_names), now())
    given = (settings.stack_tls_cert, settings.stack_tls_key, settings.stack_tls_ca)
    cert, key, ca = (paths.root / path if path else None for path in given)
    return read_files(cert or Path(), key or Path(), ca)


def keep_certificate(certificate: Certificate | None, paths: StackPaths) -> None:
    """Store the certificate if the stack's own CA signed it.

    Raises:
        FilesError: A file cannot be written.
    """
    if certificate and certificate.is_own:
        keep_own(certificate, paths)


def check_expiry(certificate: Certificate | None) -> None:
    """Make sure that clients can still use a certificate.

    Raises:
        SettingsError: It has expired.
    """
    if certificate and (end := expiry(certificate.chain)) <= now():
        raise SettingsError(
            f"STACK_TLS_CERT expired on {end:%Y-%m-%d}, so clients refuse it",
            hint="replace the files that STACK_TLS_CERT and STACK_TLS_KEY name, then "
            "mlflow-compose up",
        )


def expiry_notes(certificate: Certificate | None) -> Iterator[str]:
    """Yield a note if the user's certificate expires soon."""
    if certificate and (end := expiry(certificate.chain)) <= now() + SOON:
        yield f"STACK_TLS_CERT expires on {end:%Y-%m-%d}"


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)
