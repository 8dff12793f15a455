"""The plain way: pg_dump and pg_restore in the server's container, and rclone on this machine."""

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.commands import BenchError, run
from bench.docker import SERVICE_LABEL, DockerStack, containers
from bench.stack import BUCKET, S3

RCLONE = Path(sys.executable).with_name("rclone")
DUMP, OBJECTS = "database.dump", "objects"
REMOTE = f":s3:{BUCKET}"
# An empty database next to the stack's.
DATABASE = "plain"
DUMPING = 'exec docker exec "$1" pg_dump -Fc -U mlflow mlflow > "$2"'
LOADING = 'exec docker exec -i "$1" pg_restore -U mlflow -d "$3" < "$2"'


@dataclass(frozen=True)
class Plain:
    """Copies of a stack's data in a folder, made by the usual programs.

    Attributes:
        stack: The stack.
        s3: How to reach its S3 server.
        folder: Folder of the copies.
    """

    stack: DockerStack
    s3: S3
    folder: Path

    def save(self) -> None:
        """Copy the database and the objects into the folder, which is new."""
        self.folder.mkdir()
        run("sh", "-c", DUMPING, "sh", self.container(), str(self.folder / DUMP))
        self.rclone("copy", REMOTE, str(self.folder / OBJECTS))

    def check(self, files: int) -> None:
        """Refuse a copy without all objects."""
        found = sum(path.is_file() for path in (self.folder / OBJECTS).rglob("*"))
        if found < files:
            raise BenchError(f"rclone copied {found} files instead of {files}")

    def empty(self) -> None:
        """Empty the bucket, and create an empty database."""
        self.rclone("delete", REMOTE)
        container = self.container()
        run("docker", "exec", container, "dropdb", "--if-exists", "-U", "mlflow", DATABASE)
        run("docker", "exec", container, "createdb", "-U", "mlflow", DATABASE)

    def load(self) -> None:
        """Load the copies into the empty database and the empty bucket."""
        run("sh", "-c", LOADING, "sh", self.container(), str(self.folder / DUMP), DATABASE)
        self.rclone("copy", str(self.folder / OBJECTS), REMOTE)

    def container(self) -> str:
        """Return the container of PostgreSQL."""
        (found,) = containers(self.stack.project, f"label={SERVICE_LABEL}=postgres")
        return found

    def rclone(self, *arguments: str) -> None:
        """Run rclone with its defaults."""
        environ = {
            "RCLONE_CONFIG": "",
            "RCLONE_S3_PROVIDER": "Minio",
            "RCLONE_S3_ENDPOINT": self.s3.endpoint,
            "RCLONE_S3_ACCESS_KEY_ID": self.s3.key,
            "RCLONE_S3_SECRET_ACCESS_KEY": self.s3.secret,
            "RCLONE_S3_NO_CHECK_BUCKET": "true",
        }
        run(str(RCLONE), *arguments, environ=environ)
