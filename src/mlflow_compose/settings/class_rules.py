"""Rules that involve several settings of a class."""

from collections.abc import Iterator, Mapping

from mlflow_compose.settings.model import Settings
from mlflow_compose.settings.problem import Problem

# Otherwise the passwords that are derived from it could be guessed.
LEAST_SECRET = 24
# Characters of a bucket's name (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
LONGEST_BUCKET = 63
# Of the databases and roles of seats.
PREFIX = "seat_"
# Those whose keys can be created while they run, each limited to a bucket.
PROVIDERS = ("minio", "versitygw", "rustfs")


def check_class(settings: Settings, ports: Mapping[int, str]) -> Iterator[Problem]:
    """Yield the problems of the settings of a class.

    Args:
        settings: Settings that are valid individually.
        ports: What each other published port is for.
    """
    if settings.class_mode == "none":
        return
    if settings.mlflow_auth == "none":
        yield Problem(
            "CLASS_MODE",
            f"requires MLFLOW_AUTH=basic, got {settings.class_mode}",
            ("MLFLOW_AUTH",),
        )
    if len(settings.class_secret.get_secret_value()) < LEAST_SECRET:
        yield Problem(
            "CLASS_SECRET",
            f"must be at least {LEAST_SECRET} characters long when CLASS_MODE is "
            f"{settings.class_mode}",
            ("CLASS_MODE",),
        )
    if settings.class_tls_port and not settings.uses_tls:
        yield Problem(
            "CLASS_TLS_PORT",
            f"requires STACK_TLS=internal or files, got {settings.class_tls_port}",
            ("STACK_TLS",),
        )
    if settings.seats_port == settings.class_port:
        yield Problem(
            "CLASS_TLS_PORT",
            f"must differ from CLASS_PORT, got {settings.class_port} for both",
            ("CLASS_PORT",),
        )
    if settings.class_mode == "seats":
        yield from _names(settings)
        yield from _servers(settings)
        yield from _seats(settings, ports)


def _names(settings: Settings) -> Iterator[Problem]:
    """Yield problems of names that would be those of a seat's role and database."""
    for name, value in (("PG_USER", settings.pg_user), ("PG_DATABASE", settings.pg_database)):
        if value.startswith(PREFIX):
            yield Problem(
                name, f"must not start with {PREFIX} when CLASS_MODE is seats", ("CLASS_MODE",)
            )


def _servers(settings: Settings) -> Iterator[Problem]:
    """Yield problems of the servers that the seats share."""
    bundled = {
        "PG_HOST": ("postgres, with BACKEND_STORE=postgres,", settings.bundles_postgres),
        "MINIO_HOST": ("s3, with ARTIFACT_STORE=s3,", settings.bundles_s3),
    }
    for name, (value, is_bundled) in bundled.items():
        if not is_bundled:
            yield Problem(name, f"must be {value} when CLASS_MODE is seats", ("CLASS_MODE",))
    if settings.mlflow_artifact_access == "direct":
        yield Problem(
            "MLFLOW_ARTIFACT_ACCESS", "must be proxied when CLASS_MODE is seats", ("CLASS_MODE",)
        )
    # Without Docker, the S3 server is always rclone, with a folder for each seat.
    if settings.stack_engine != "local" and settings.s3_provider not in PROVIDERS:
        yield Problem(
            "S3_PROVIDER",
            f"must be {', '.join(PROVIDERS[:-1])} or {PROVIDERS[-1]} when CLASS_MODE is seats: "
            f"each seat gets a key, got {settings.s3_provider}",
            ("CLASS_MODE",),
        )


def _seats(settings: Settings, ports: Mapping[int, str]) -> Iterator[Problem]:
    for seat in settings.seats:
        if first := ports.get(seat.port):
            yield Problem(
                "CLASS_SEATS",
                f"must give {seat.name} another port than {first}, got {seat.port}",
                (first,),
            )
    longest = max((len(seat.name) for seat in settings.seats), default=0)
    if len(settings.mlflow_bucket_name) + 1 + longest > LONGEST_BUCKET:
        yield Problem(
            "MLFLOW_BUCKET_NAME",
            "must be shorter when CLASS_MODE is seats: each seat has a bucket whose name starts "
            "with it",
            ("CLASS_SEATS",),
        )
