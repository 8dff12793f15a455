"""What the server in AWS does at each start, with a real PostgreSQL that requires TLS.

Only AWS itself is replaced: a server here answers as Secrets Manager, and a script stands for the
tool's `up`, which has tests of its own.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from mlflow_compose.paths import templates
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.quoting import quote

from .certificates import make_certificates
from .security import lan_address
from .servers import PASSWORD, TlsPostgres

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server in AWS runs Linux")

ENV, MASTER = "arn:aws:secretsmanager:eu-central-1:1:secret:env", "master"
ODD = "p@ss w'or$d\"\\#%; é"
UP = '#!/bin/sh\necho "$PWD $*" >>up.log\n'


@dataclass
class Server:
    """A server in AWS.

    Attributes:
        folder: Folder of its stack.
        secrets: Values in Secrets Manager.
        file: Description of the server, as Terraform writes it.
        program: What it runs.
        database: Its database.
    """

    folder: Path
    secrets: dict[str, str]
    file: Path
    program: ModuleType
    database: TlsPostgres = field(repr=False)

    def start(self) -> int:
        return int(self.program.main(str(self.file)))

    def put(self, password: str) -> None:
        """Store an `.env` with a password of the database."""
        self.secrets[ENV] = (
            f"PG_USER=runs\nPG_PASSWORD={quote(password)}\nPG_HOST=postgres\n"
            "MINIO_ACCESS_KEY=app-key\nMINIO_SECRET_ACCESS_KEY=app-secret\nMLFLOW_WORKERS=3\n"
        )

    def query(self, password: str, sql: str) -> "subprocess.CompletedProcess[str]":
        """Run SQL as the stack's role."""
        client = {"PGPASSWORD": password, "PGSSLMODE": "require", "PATH": os.environ["PATH"]}
        address = ("-h", self.database.host, "-p", str(self.database.port))
        command = ["psql", "-XAtq", "-U", "runs", "-d", "postgres", *address, "-c", sql]
        return subprocess.run(command, env=client, capture_output=True, text=True, check=False)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server whose secret has no value yet."""
    certificates = make_certificates(tmp_path, lan_address())
    monkeypatch.syspath_prepend(str(templates() / "terraform" / "server"))
    secrets = {MASTER: json.dumps({"username": "mlflow", "password": PASSWORD})}
    folder, file, bin_folder = tmp_path / "stack", tmp_path / "server.json", tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "mlflow-compose").write_text(UP, encoding="utf-8")
    (bin_folder / "mlflow-compose").chmod(0o755)
    folder.mkdir()
    (folder / "rds-ca.pem").write_bytes(certificates.authority.read_bytes())
    with TlsPostgres(lan_address(), certificates) as database, secrets_manager(secrets) as url:
        with (database.data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write("hostssl all runs all scram-sha-256\n")
        database.sql("SELECT pg_reload_conf()")
        monkeypatch.setenv("PATH", f"{database.programs}:{os.environ['PATH']}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-role")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-role")
        monkeypatch.setattr(sys, "executable", str(bin_folder / "python"))
        settings = {
            "PG_HOST": database.host,
            "PG_PORT": str(database.port),
            "PG_DATABASE": "postgres",
            "PG_SSLMODE": "verify-full",
            "PG_SSLROOTCERT": "rds-ca.pem",
            "MINIO_HOST": "aws",
            "S3_CREDENTIALS": "role",
        }
        described = {
            "folder": str(folder),
            "region": "eu-central-1",
            "env_secret": ENV,
            "master_secret": MASTER,
            "settings": settings,
        }
        file.write_text(json.dumps(described), encoding="utf-8")
        yield Server(folder, secrets, file, import_module("start_stack"), database)


@contextmanager
def secrets_manager(values: Mapping[str, str]) -> Iterator[str]:
    """Answer GetSecretValue from a mapping, which may change, in the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            value = values.get(asked["SecretId"])
            found, missing = {"SecretString": value}, {"__type": "ResourceNotFoundException"}
            body = json.dumps(found if value else missing).encode()
            self.send_response(200 if value else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_the_stack_must_start_once_its_env_file_is_stored(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    assert server.start() == 1
    assert f"the secret {ENV} cannot be read" in capfd.readouterr().err
    assert not (server.folder / "up.log").exists()

    server.put(ODD)
    assert server.start() == 0
    assert (server.folder / "up.log").read_text(encoding="utf-8") == f"{server.folder} up\n"
    env_file = server.folder / ".env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    values = parse(env_file.read_text(encoding="utf-8")).values
    assert values["PG_PASSWORD"] == ODD
    assert values["MLFLOW_WORKERS"] == "3"
    assert (values["PG_HOST"], values["S3_CREDENTIALS"]) == (server.database.host, "role")
    made = server.query(ODD, "CREATE TABLE runs (id int); SELECT current_user")
    assert (made.returncode, made.stdout) == (0, "runs\n")

    # A changed password counts from the next start, and what the role owns is still there.
    server.put("another-password")
    assert server.start() == 0
    assert server.query("another-password", "TABLE runs").returncode == 0
    assert "password authentication failed" in server.query(ODD, "SELECT 1").stderr
    shown = "".join(capfd.readouterr())
    assert not any(secret in shown for secret in (ODD, "another-password", PASSWORD))


def test_a_database_that_refuses_the_master_must_be_reported(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.put(ODD)
    server.secrets[MASTER] = json.dumps({"username": "mlflow", "password": "of-last-week"})
    assert server.start() == 1
    error = capfd.readouterr().err
    assert "the role runs cannot be prepared" in error
    assert "password authentication failed" in error
    assert not (server.folder / "up.log").exists()
