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
from zipfile import ZipFile

import pytest

from mlflow_compose.paths import templates
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.quoting import quote

from .certificates import make_certificates
from .running import left_to_soak
from .security import lan_address
from .servers import PASSWORD, TlsPostgres

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server in AWS runs Linux")

ENV, MASTER = "arn:aws:secretsmanager:eu-central-1:1:secret:env", "master"
ODD = "p@ss w'or$d\"\\#%; é"
WHEEL = "small-1-py3-none-any.whl"
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
        database.sql("ALTER SYSTEM SET log_statement = 'all'")
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

    with running(Handler) as url:
        yield url


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server in the block; return its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
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
    (stored,) = server.database.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'runs'")
    assert stored.startswith("SCRAM-SHA-256$")
    log = (server.database.folder / "log").read_text(encoding="utf-8")
    assert f"PASSWORD '{stored}'" in log
    assert not any(secret in log for secret in (ODD, "another-password"))
    assert {path.name for path in server.folder.iterdir()} == {".env", "rds-ca.pem", "up.log"}
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


def test_the_master_must_keep_its_password(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    server.put(ODD)
    server.secrets[MASTER] = json.dumps({"username": "runs", "password": PASSWORD})
    assert server.start() == 1
    assert "PG_USER must not be runs, the database's master" in capfd.readouterr().err


def test_certificates_must_be_whole(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    server.put(ODD)
    certificates = server.folder / "rds-ca.pem"
    content = certificates.read_bytes()
    certificates.unlink()
    with served(content[:100], len(content)) as url:
        monkeypatch.setattr(server.program, "CERTIFICATES", url)
        assert server.start() == 1
    assert "start_stack: IncompleteRead" in capfd.readouterr().err
    assert list(server.folder.iterdir()) == []
    with served(content, len(content)) as url:
        monkeypatch.setattr(server.program, "CERTIFICATES", url)
        assert server.start() == 0
    assert certificates.read_bytes() == content


@contextmanager
def served(content: bytes, length: int) -> Iterator[str]:
    """Answer every GET with a content that is announced to have a length."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with running(Handler) as url:
        yield url


@left_to_soak("it installs the tool twice")
def test_the_tool_must_only_be_installed_once(tmp_path: Path) -> None:
    wheel, tool, environment = tmp_path / WHEEL, tmp_path / "tool.txt", tmp_path / "venv"
    write_wheel(wheel)
    tool.write_text(f"{wheel.as_uri()}\n", encoding="utf-8")
    script = templates() / "terraform" / "server" / "install_tool.sh"
    command = ["sh", str(script), str(tool), str(environment)]
    assert subprocess.run(command, check=False).returncode == 0
    program = [str(environment / "bin" / "python"), "-c", "import small"]
    assert subprocess.run(program, check=False).returncode == 0
    # Without its source, it must not be needed.
    wheel.unlink()
    assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run(program, check=False).returncode == 0
    # Another one, or the failed installation of it, is not this one.
    tool.write_text(f"{wheel.as_uri()}#other\n", encoding="utf-8")
    for _ in range(2):
        assert subprocess.run(command, stderr=subprocess.PIPE, check=False).returncode != 0


def write_wheel(path: Path) -> None:
    """Write a wheel with an empty module, `small`."""
    info = "small-1.dist-info"
    with ZipFile(path, "w") as wheel:
        wheel.writestr("small.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n")
        tags = "Root-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\n{tags}")
        wheel.writestr(f"{info}/RECORD", "")
