"""Translate `migrate-store --to` into the settings that change."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from mlflow_compose.errors import UsageError
from mlflow_compose.settings import Settings
from mlflow_compose.settings.stores import AWS, BUNDLED_POSTGRES, BUNDLED_S3

KINDS = "provider=NAME, s3=URL or postgres=HOST"
HTTPS = "https"
PORTS = {"http": 80, HTTPS: 443}
# Settings that only apply to an external S3 server.
NOT_EXTERNAL = {
    "MINIO_STORAGE_USE_HTTPS": "false",
    "MINIO_STORAGE_CA_CERTS": "",
    "MLFLOW_BUCKET_CREATE": "false",
}


def changes(to: str, settings: Settings) -> Mapping[str, str]:
    """Return the settings that make a stack use another store.

    Args:
        to: New store as typed: `provider=NAME`, `s3=URL`, `s3=aws` or `postgres=HOST[:PORT]`.
        settings: Settings of the current stack.

    Raises:
        UsageError: The value is none of these.
    """
    kind, _, value = to.partition("=")
    if not value or kind not in {"provider", "s3", "postgres"}:
        raise UsageError(f"--to must be {KINDS}{_got(to)}", hint=_login_hint(to))
    if kind == "provider":
        return _provider(value, settings)
    return _s3(value) if kind == "s3" else _postgres(value)


def _provider(name: str, settings: Settings) -> Mapping[str, str]:
    # An image set in the env file belongs to the old provider.
    changed = {"ARTIFACT_STORE": "s3", "S3_PROVIDER": name, "MINIO_IMAGE": ""}
    if settings.minio_host == BUNDLED_S3:
        return changed
    return {**changed, "MINIO_HOST": BUNDLED_S3, "MINIO_PORT": "9000", **NOT_EXTERNAL}


def _s3(value: str) -> Mapping[str, str]:
    if value == AWS:
        return {"ARTIFACT_STORE": "s3", "MINIO_HOST": AWS, "MINIO_VOLUME_PATH": ""}
    url = _url(value)
    return {
        "ARTIFACT_STORE": "s3",
        "MINIO_HOST": url.hostname or "",
        "MINIO_PORT": str(url.port or PORTS[url.scheme]),
        "MINIO_STORAGE_USE_HTTPS": str(url.scheme == HTTPS).lower(),
        "MINIO_VOLUME_PATH": "",
    }


def _url(value: str) -> SplitResult:
    url = _split(value)
    if url is None or url.scheme not in PORTS or url.path.strip("/") or url.query or url.username:
        raise UsageError(
            f"--to s3= must be aws or an endpoint URL such as https://host:9000{_got(value)}",
            hint=_login_hint(value),
        )
    return url


def _postgres(value: str) -> Mapping[str, str]:
    url = _split(f"//{value}")
    if url is None or url.path or url.username:
        raise UsageError(
            f"--to postgres= must be HOST or HOST:PORT{_got(value)}", hint=_login_hint(value)
        )
    host, port = url.hostname or "", url.port
    if host == BUNDLED_POSTGRES and port:
        raise UsageError(
            "--to postgres=postgres must not have a port: the bundled database uses PG_PORT"
        )
    changed = {"BACKEND_STORE": "postgres", "PG_HOST": host}
    return {**changed, **({"PG_PORT": str(port)} if port else {})}


def _got(value: str) -> str:
    # A password may precede the @.
    return "" if "@" in value else f", got {value}"


def _login_hint(value: str) -> str | None:
    return "put names, keys and passwords into the --settings file" if "@" in value else None


def _split(url: str) -> SplitResult | None:
    """Return a URL with a host, None if it is not a URL."""
    try:
        found = urlsplit(url)
        whole = found.hostname and found.port != 0
    except ValueError:
        # An invalid port, or an unmatched bracket.
        return None
    return found if whole else None
