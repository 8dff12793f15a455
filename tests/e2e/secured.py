"""Settings to use servers that require TLS."""

import secrets

from .servers import KEY, PASSWORD, TlsPostgres, TlsS3


def database(postgres: TlsPostgres, **changed: str) -> dict[str, str]:
    """Create an empty database there and return the settings to use it."""
    name = f"other_{secrets.token_hex(4)}"
    postgres.sql(f'CREATE DATABASE "{name}"')
    return {
        "PG_HOST": postgres.host,
        "PG_PORT": str(postgres.port),
        "PG_PASSWORD": PASSWORD,
        "PG_DATABASE": name,
        **changed,
    }


def objects(s3: TlsS3, **changed: str) -> dict[str, str]:
    """Return the settings to use the bucket there."""
    return {
        "MINIO_HOST": s3.host,
        "MINIO_PORT": str(s3.port),
        "MINIO_STORAGE_USE_HTTPS": "true",
        # rclone only accepts the new checksums without TLS.
        "MINIO_STORAGE_CHECKSUMS": "when_required",
        "MINIO_ACCESS_KEY": KEY[0],
        "MINIO_SECRET_ACCESS_KEY": KEY[1],
        **changed,
    }
