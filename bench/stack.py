"""What the benchmark needs to know of a stack, however it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlflow_compose.settings.envfile import read

BUCKET = "mlflow"


@dataclass(frozen=True)
class S3:
    """How a client reaches the S3 server itself."""

    endpoint: str
    key: str
    secret: str


class Stack(Protocol):
    """A stack that can be started and stopped any number of times."""

    @property
    def url(self) -> str:
        """Address of MLflow."""

    @property
    def login(self) -> tuple[str, str] | None:
        """User name and password, if MLflow asks for them."""

    @property
    def s3(self) -> S3:
        """Address and key of the S3 server."""

    @property
    def environment_file(self) -> str:
        """Env file for commands of the tool; empty for a stack without it."""

    @property
    def restarts(self) -> bool:
        """Whether a killed server is started again."""

    @property
    def mlflow_port(self) -> int:
        """Port of MLflow where its processes run."""

    def prepare(self) -> None:
        """Build and install everything that the first start needs."""

    def up(self) -> None:
        """Start the stack and wait until it is healthy."""

    def down(self) -> None:
        """Stop the stack and delete its data."""

    def services(self) -> Mapping[str, int]:
        """Return the first process of each running service."""

    def first_processes(self) -> list[int]:
        """Return the processes that are, with all their descendants, the whole stack."""

    def overhead(self) -> list[int]:
        """Return the processes of the engine that work for a running stack."""

    def sql(self, statements: str) -> str:
        """Run SQL in the stack's database and return what it prints."""


def access(path: Path) -> tuple[S3, tuple[str, str] | None]:
    """Return how to reach the S3 server, and the login of MLflow if there is one."""
    values = read(path).values
    s3 = S3(
        f"http://127.0.0.1:{values['MINIO_PORT']}",
        values["MINIO_ACCESS_KEY"],
        values["MINIO_SECRET_ACCESS_KEY"],
    )
    if values.get("MLFLOW_AUTH", "none") == "none":
        return s3, None
    return s3, (values.get("MLFLOW_ADMIN_USERNAME", "admin"), values["MLFLOW_ADMIN_PASSWORD"])
