"""Where MLflow keeps what it is told: runs in a database, artifacts in a bucket or a folder."""

from dataclasses import dataclass

from mlflow_compose.settings import Settings
from mlflow_compose.stack.service import Volume
from mlflow_compose.stack.site import Site

POSTGRES = "postgres"
SQLITE = "sqlite"
# psycopg2 by name: MLflow's plain postgresql:// means another driver since SQLAlchemy 2.1.
POSTGRES_URI = "postgresql+psycopg2:///?service=mlflow"
DATABASE_FILE = "mlflow.db"
ARTIFACT_FOLDER = "artifacts"
VOLUME = "mlflow_data"


@dataclass(frozen=True)
class Stores:
    """The two stores of a stack, as MLflow is told them.

    Attributes:
        backend_uri: For SQLAlchemy; it holds no password.
        artifact_folder: Of the server, empty where artifacts are in a bucket.
        bucket: For artifacts.
        volumes: That a store needs in the server itself.
    """

    backend_uri: str
    artifact_folder: str
    bucket: str
    volumes: tuple[Volume, ...]

    @property
    def artifact_uri(self) -> str:
        """Where artifacts go, as MLflow is told it."""
        return self.artifact_folder or f"s3://{self.bucket}"

    @property
    def has_s3(self) -> bool:
        """Whether artifacts are in a bucket."""
        return not self.artifact_folder

    @property
    def has_postgres(self) -> bool:
        """Whether runs are in PostgreSQL."""
        return self.backend_uri == POSTGRES_URI


def stores(settings: Settings, site: Site) -> Stores:
    """Return where a stack keeps runs and artifacts."""
    in_file = settings.backend_store == SQLITE
    in_folder = settings.artifact_store == "local"
    return Stores(
        backend_uri=f"sqlite:///{site.data}/{DATABASE_FILE}" if in_file else POSTGRES_URI,
        artifact_folder=f"{site.data}/{ARTIFACT_FOLDER}" if in_folder else "",
        bucket=settings.mlflow_bucket_name,
        volumes=(Volume(VOLUME, site.data),) if in_file or in_folder else (),
    )
