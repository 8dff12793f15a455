"""From what was seen to one sentence that names the broken link, and the next command."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mlflow_compose.checks.inside import Link, look
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING


@dataclass(frozen=True)
class Cause:
    """Why a stack does not do its work."""

    sentence: str
    hint: str


CAUSES: Mapping[str, Cause] = {
    "pg_down": Cause(
        "PostgreSQL cannot be reached from mlflow", "mlflow-compose logs postgres shows why"
    ),
    "pg_password": Cause(
        "PostgreSQL refuses PG_PASSWORD: the database was made with another one",
        "set PG_PASSWORD back in .env; to change it, change it in the database first (ALTER ROLE)",
    ),
    "pg_missing": Cause(
        "PostgreSQL has no such database or user: it was made with other ones",
        "set PG_DATABASE and PG_USER back in .env, or make them in the database first",
    ),
    "row_missing": Cause(
        "MLflow said that it stored a run, and PostgreSQL does not have it",
        "mlflow-compose logs mlflow shows where it stored it",
    ),
    "s3_down": Cause("S3 cannot be reached from mlflow", "mlflow-compose logs s3 shows why"),
    "s3_key": Cause(
        "S3 refuses the application's key (MINIO_ACCESS_KEY, MINIO_SECRET_ACCESS_KEY)",
        "mlflow-compose up makes the key again",
    ),
    "bucket_missing": Cause(
        "the bucket (MLFLOW_BUCKET_NAME) is missing in S3", "mlflow-compose up makes it again"
    ),
    "object_missing": Cause(
        "MLflow said that it stored an artifact, and the bucket does not have it",
        "mlflow-compose logs mlflow shows where it stored it",
    ),
    "object_differs": Cause(
        "an artifact in the bucket has another size than what was stored",
        "mlflow-compose logs s3 shows whether its disk is full",
    ),
    "s3_error": Cause("S3 answered with an error", "mlflow-compose logs s3 shows more"),
    "key_too_strong": Cause(
        "the application's key may use other buckets than MLFLOW_BUCKET_NAME",
        "set a new MINIO_ACCESS_KEY in .env, then mlflow-compose up",
    ),
    "host_refused": Cause(
        "MLflow refuses the Host header of requests that come by this name",
        "add the name to MLFLOW_ALLOWED_HOSTS in .env, then mlflow-compose up",
    ),
    "mlflow_down": Cause(
        "MLflow does not answer inside of its network", "mlflow-compose logs mlflow shows why"
    ),
    "mlflow_error": Cause("MLflow answered with an error", "mlflow-compose logs mlflow shows more"),
    "past_the_proxy": Cause(
        "MLflow sends its clients past the proxy, to an address that only it can reach",
        "leave MLFLOW_IMAGE out of .env: the image that is built here does not",
    ),
    "login_refused": Cause(
        "MLflow refuses MLFLOW_ADMIN_USERNAME with MLFLOW_ADMIN_PASSWORD",
        "set MLFLOW_ADMIN_PASSWORD in .env to the admin's password of today",
    ),
    "not_published": Cause(
        "MLflow runs, and its port is not published on this machine",
        "mlflow-compose up publishes it again; a firewall or a proxy may be in between",
    ),
    "nothing_runs": Cause("the stack is not running", "mlflow-compose up starts it"),
    "probe_failed": Cause(
        "the stack could not be looked at from inside", "mlflow-compose logs mlflow shows more"
    ),
}

# Whose absence explains a link that is down.
SERVERS = {"pg_down": "postgres", "s3_down": "s3", "mlflow_down": "mlflow"}
START_AGAIN = "mlflow-compose up starts it again"

# What breaks first: MLflow needs its database, then its bucket, and both before it answers.
ORDER = ("database", "bucket", "network", "isolation", "clean up", "probe")


def first_cause(links: Sequence[Link]) -> tuple[Link, Cause] | None:
    """Return the link that breaks the others, with its cause; None where all hold."""
    broken = sorted((link for link in links if link.cause), key=lambda link: ORDER.index(link.name))
    return (broken[0], CAUSES[broken[0].cause]) if broken else None


def diagnose(engine: Engine, *, links: Collection[str] = ORDER) -> Cause | None:
    """Find out why a stack does not do its work, None where the `links` hold inside."""
    services = {status.name: status for status in engine.status()}
    if not any(status.state == RUNNING for status in services.values()):
        return CAUSES["nothing_runs"]
    found = first_cause([link for link in look(engine) if link.name in links])
    if found is None:
        return None
    link, cause = found
    server = services.get(SERVERS.get(link.cause, ""))
    if server and server.state != RUNNING:
        return Cause(f"{cause.sentence}: {server.name} {server.text}", START_AGAIN)
    return Cause(f"{cause.sentence} ({link.detail})", cause.hint)
