"""Rules that involve several settings of the stores."""

from collections.abc import Iterator

from mlflow_compose.settings.problem import Problem
from mlflow_compose.settings.stores import AWS, BUNDLED_POSTGRES, BUNDLED_S3, StoreSettings

VERIFYING = ("verify-ca", "verify-full")


def check_stores(settings: StoreSettings, artifact_access: str) -> Iterator[Problem]:
    """Yield the problems of the stores' settings.

    Args:
        settings: Settings of the stores.
        artifact_access: How clients access artifacts: proxied or direct.
    """
    yield from _database(settings)
    yield from _artifacts(settings, artifact_access)
    if settings.uses_role:
        yield from _role(settings, artifact_access)
    if settings.bundles_s3 and settings.minio_root_user == settings.minio_access_key:
        yield Problem(
            "MINIO_ACCESS_KEY",
            "must differ from MINIO_ROOT_USER: the application must not be root",
            ("MINIO_ROOT_USER",),
        )


def _database(settings: StoreSettings) -> Iterator[Problem]:
    external = settings.pg_host != BUNDLED_POSTGRES
    if settings.backend_store == "sqlite":
        for name, is_set in (("PG_HOST", external), ("PG_PUBLISH", settings.pg_publish)):
            if is_set:
                yield _needless(name, "BACKEND_STORE is sqlite", "BACKEND_STORE")
        return
    if external and settings.pg_publish:
        yield _needless("PG_PUBLISH", f"PG_HOST is {settings.pg_host}", "PG_HOST")
    if not external and settings.pg_sslmode not in {"prefer", "allow", "disable"}:
        yield Problem(
            "PG_SSLMODE",
            "must be prefer, allow or disable for the bundled PostgreSQL (it has no TLS), "
            f"got {settings.pg_sslmode}",
            ("PG_HOST",),
        )
    if settings.pg_sslrootcert and settings.pg_sslmode not in VERIFYING:
        yield Problem(
            "PG_SSLROOTCERT",
            f"requires PG_SSLMODE verify-ca or verify-full, got {settings.pg_sslmode}",
            ("PG_SSLMODE",),
        )
    if settings.pg_sslmode in VERIFYING and not settings.pg_sslrootcert:
        yield Problem(
            "PG_SSLROOTCERT",
            f"must be a file of CA certificates when PG_SSLMODE is {settings.pg_sslmode}",
            ("PG_SSLMODE",),
        )


def _artifacts(settings: StoreSettings, artifact_access: str) -> Iterator[Problem]:
    external = settings.minio_host != BUNDLED_S3
    if settings.artifact_store == "local":
        if artifact_access == "direct":
            yield Problem(
                "MLFLOW_ARTIFACT_ACCESS",
                "must be proxied when ARTIFACT_STORE is local: clients cannot reach the folder",
                ("ARTIFACT_STORE",),
            )
        if external:
            yield _needless("MINIO_HOST", "ARTIFACT_STORE is local", "ARTIFACT_STORE")
        return
    if external and settings.minio_volume_path:
        yield _needless("MINIO_VOLUME_PATH", f"MINIO_HOST is {settings.minio_host}", "MINIO_HOST")
    if not external:
        for name, is_set in (
            ("MINIO_STORAGE_USE_HTTPS", settings.minio_storage_use_https),
            ("MLFLOW_BUCKET_CREATE", settings.mlflow_bucket_create),
        ):
            if is_set:
                yield Problem(
                    name,
                    "must be false for the bundled S3 server (MINIO_HOST=s3)",
                    ("MINIO_HOST",),
                )
        # rclone splits its key at the comma, and cannot escape one.
        if settings.s3_provider == "rclone" and "," in _secret_key(settings):
            yield Problem(
                "MINIO_SECRET_ACCESS_KEY",
                "must not contain a comma when S3_PROVIDER is rclone",
                ("S3_PROVIDER",),
            )
    https = settings.minio_storage_use_https or settings.minio_host == AWS
    if settings.minio_storage_ca_certs and not https:
        yield Problem(
            "MINIO_STORAGE_CA_CERTS",
            "requires MINIO_STORAGE_USE_HTTPS=true",
            ("MINIO_STORAGE_USE_HTTPS",),
        )


def _role(settings: StoreSettings, artifact_access: str) -> Iterator[Problem]:
    if settings.artifact_store == "local":
        yield _needless("S3_CREDENTIALS", "ARTIFACT_STORE is local", "ARTIFACT_STORE")
    elif settings.minio_host != AWS:
        yield Problem(
            "S3_CREDENTIALS",
            f"must be key unless MINIO_HOST is {AWS}, got role",
            ("MINIO_HOST",),
        )
    if artifact_access == "direct":
        yield Problem(
            "MLFLOW_ARTIFACT_ACCESS",
            "must be proxied when S3_CREDENTIALS is role: clients do not have the role",
            ("S3_CREDENTIALS",),
        )


def _secret_key(settings: StoreSettings) -> str:
    return settings.minio_secret_access_key.get_secret_value()


def _needless(name: str, because: str, other: str) -> Problem:
    return Problem(name, f"has no effect when {because}; remove it", (other,))
