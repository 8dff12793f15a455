"""Where MLflow stores its data: runs in a database, artifacts in a bucket or a folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_compose import payloads
from mlflow_compose.settings import Settings
from mlflow_compose.stack.components import postgres
from mlflow_compose.stack.providers import provider_of
from mlflow_compose.stack.providers.minio import MINIO
from mlflow_compose.stack.service import Volume
from mlflow_compose.stack.site import Site, url_host

POSTGRES = "postgres"
SQLITE = "sqlite"
S3 = "s3"
# psycopg2 by name: since SQLAlchemy 2.1, plain postgresql:// means another driver.
POSTGRES_URI = "postgresql+psycopg2:///?service=mlflow"
DATABASE_FILE = "mlflow.db"
ARTIFACT_FOLDER = "artifacts"
VOLUME = "mlflow_data"


@dataclass(frozen=True)
class Location:
    """The location of one store, without secrets.

    Attributes:
        kind: postgres, sqlite, s3 or folder.
        external: Whether it is a server that the stack does not run.
        what: Name for users.
        where: Location for users, to follow `what`.
        facts: Payload fields for `--json`.
        key: Identity of the location; ports of bundled servers are not part of it.
    """

    kind: str
    external: bool
    what: str
    where: str
    facts: Mapping[str, Any]
    key: tuple[object, ...]

    @property
    def text(self) -> str:
        """The location, worded for users."""
        return f"{self.what} {self.where}"

    @property
    def data(self) -> payloads.Store:
        """The payload for `--json`."""
        return payloads.Store(kind=self.kind, external=self.external, **self.facts, text=self.text)


@dataclass(frozen=True)
class Stores:
    """The two stores of a stack.

    Attributes:
        backend_uri: SQLAlchemy URI of the backend store, without a password.
        artifact_folder: Folder of artifacts in the server, empty if they are in a bucket.
        bucket: Bucket of artifacts.
        volumes: Volumes that a store needs in the tracking server.
        runs: Location of experiments, runs and models.
        artifacts: Location of artifacts.
        uses_role: Whether AWS itself gives services their S3 credentials.
    """

    backend_uri: str
    artifact_folder: str
    bucket: str
    volumes: tuple[Volume, ...]
    runs: Location
    artifacts: Location
    uses_role: bool = False

    @property
    def artifact_uri(self) -> str:
        """The artifact root for MLflow."""
        return self.artifact_folder or f"s3://{self.bucket}"

    @property
    def uses_s3(self) -> bool:
        """Whether artifacts are in a bucket."""
        return not self.artifact_folder

    @property
    def uses_postgres(self) -> bool:
        """Whether runs are in PostgreSQL."""
        return self.backend_uri == POSTGRES_URI

    @property
    def bundles_s3(self) -> bool:
        """Whether that bucket is in the bundled S3 server."""
        return self.uses_s3 and not self.artifacts.external

    @property
    def bundles_postgres(self) -> bool:
        """Whether that PostgreSQL is the bundled server."""
        return self.uses_postgres and not self.runs.external

    @property
    def own(self) -> Mapping[str, Location]:
        """The stores that the stack runs itself, by their contents."""
        return {name: location for name, location in self._named.items() if not location.external}

    @property
    def elsewhere(self) -> Mapping[str, Location]:
        """The external stores, by their contents."""
        return {name: location for name, location in self._named.items() if location.external}

    @property
    def _named(self) -> Mapping[str, Location]:
        return {"runs": self.runs, "artifacts": self.artifacts}


def stores(settings: Settings, site: Site) -> Stores:
    """Return the stores that the settings choose."""
    in_file = settings.backend_store == SQLITE
    in_folder = settings.artifact_store == "local"
    return Stores(
        backend_uri=f"sqlite:///{site.data}/{DATABASE_FILE}" if in_file else POSTGRES_URI,
        artifact_folder=f"{site.data}/{ARTIFACT_FOLDER}" if in_folder else "",
        bucket=settings.mlflow_bucket_name,
        volumes=(Volume(VOLUME, site.data),) if in_file or in_folder else (),
        runs=_file(site) if in_file else _database(settings, site),
        artifacts=_folder(site) if in_folder else _bucket(settings, site),
        uses_role=settings.uses_role,
    )


def _file(site: Site) -> Location:
    where = f"in the file {_inside(site, VOLUME, DATABASE_FILE)}"
    return Location(
        "sqlite",
        external=False,
        what="SQLite",
        where=where,
        facts={"file": DATABASE_FILE, "volume": VOLUME},
        key=(SQLITE,),
    )


def _folder(site: Site) -> Location:
    where = f"in the folder {_inside(site, VOLUME, ARTIFACT_FOLDER)}"
    return Location(
        "folder",
        external=False,
        what="files",
        where=where,
        facts={"folder": ARTIFACT_FOLDER, "volume": VOLUME},
        key=(ARTIFACT_FOLDER,),
    )


def _database(settings: Settings, site: Site) -> Location:
    host, port = site.database
    name, mode = settings.pg_database, settings.pg_sslmode
    external = not settings.bundles_postgres
    how = "no TLS" if mode == "disable" else f"TLS {mode}"
    volume = site.volume(postgres.NAME, postgres.VOLUME)
    kept = how if external else f"in the {_data(site, volume)}"
    facts = {"host": host, "port": port, "database": name}
    return Location(
        "postgres",
        external,
        "PostgreSQL",
        f"at {url_host(host)}:{port}/{name}, {kept}",
        {**facts, "sslmode": mode} if external else {**facts, "volume": volume},
        (POSTGRES, host, port, name) if external else (POSTGRES, name),
    )


def _bucket(settings: Settings, site: Site) -> Location:
    bucket, region = settings.mlflow_bucket_name, settings.aws_default_region
    where = f"at {site.s3}" if site.s3 else f"at Amazon, region {region}"
    facts = {"bucket": bucket, "endpoint": site.s3 or None, "region": region}
    key: tuple[object, ...] = ("s3", site.s3 or region, bucket)
    if settings.bundles_s3:
        provider = provider_of(settings, site)
        # Without containers it is always rclone, in a folder that keeps its original name.
        volume = site.volume(S3, provider.volume if site.in_containers else MINIO.volume)
        folder = settings.minio_volume_path
        where += f", in the {f'folder {folder}' if folder else _data(site, volume)}"
        facts["provider"] = provider.name
        key = ("s3", provider.name, os.path.normpath(folder) if folder else volume, bucket)
    return Location("s3", not settings.bundles_s3, f"s3://{bucket}", where, facts, key)


def _data(site: Site, volume: str) -> str:
    if site.namespace:
        return f"claim {volume} of the namespace {site.namespace.name}"
    return f"volume {volume}" if site.in_containers else f"folder {site.target}/data/{volume}"


def _inside(site: Site, volume: str, name: str) -> str:
    if site.in_containers:
        return f"{name} in the volume {volume}"
    return f"{site.target}/data/{volume}/{name}"
