"""Write the stack's `.env` from AWS Secrets Manager, prepare its database, and start the stack.

A unit of systemd runs it at each start of the server, and again if it fails: until `.env` is in
its secret, or because the database is not reachable yet. Secrets only go to `.env`, which other
users cannot read, and to psql's environment.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.settings import Settings, load
from mlflow_compose.settings.envfile import edit

# The CA certificates of RDS, for all regions.
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
TIMEOUT = 60
ROLE = r"""
\set ON_ERROR_STOP on
\getenv user STACK_USER
SELECT format('CREATE ROLE %I LOGIN', :'user')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
GRANT CREATE, USAGE ON SCHEMA public TO :"user";
"""
# It hashes the password itself, so that the database, which may log statements, never gets it. A
# changed password counts from the next start.
PASSWORD = (r"\getenv user STACK_USER", r'\password :"user"')


class StartError(Exception):
    """Why the stack cannot start, in one sentence."""


def main(path: str) -> int:
    """Start the stack that a file describes; return the exit code."""
    server = json.loads(Path(path).read_text(encoding="utf-8"))
    folder = Path(server["folder"])
    try:
        secrets = boto3.client("secretsmanager", region_name=server["region"])
        settings = write_env(folder, secret(secrets, server["env_secret"]), server["settings"])
        master = json.loads(secret(secrets, server["master_secret"]))
        prepare_database(settings, folder, master)
    except (StartError, MlflowComposeError, HTTPException, OSError) as error:
        print(f"start_stack: {error}", file=sys.stderr)
        return 1
    command = [str(Path(sys.executable).with_name("mlflow-compose")), "up"]
    return subprocess.run(command, cwd=folder, check=False).returncode


def secret(client: Any, name: str) -> str:  # noqa: ANN401 - boto3 creates its clients at run time
    """Return the value of a secret."""
    try:
        return str(client.get_secret_value(SecretId=name)["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise StartError(f"the secret {name} cannot be read: {error}") from None


def write_env(folder: Path, text: str, values: Mapping[str, str]) -> Settings:
    """Write `.env` with the settings that follow from the server; return all settings."""
    folder.mkdir(mode=0o700, exist_ok=True)
    certificates, env_file = folder / values["PG_SSLROOTCERT"], folder / ".env"
    if not certificates.exists():
        with urllib.request.urlopen(CERTIFICATES, timeout=TIMEOUT) as answer:
            write(certificates, answer.read(), 0o644)
    write(env_file, edit(text, values).encode(), 0o600)
    return load(env_file, {}).settings


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file, at once: what is interrupted leaves no half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def prepare_database(settings: Settings, folder: Path, master: Mapping[str, str]) -> None:
    """Create the stack's role if it is missing, and give it its password."""
    if settings.pg_user == master["username"]:
        raise StartError(f"PG_USER must not be {settings.pg_user}, the database's master")
    environ = {
        **os.environ,
        "PGHOST": settings.pg_host,
        "PGPORT": str(settings.pg_port),
        "PGDATABASE": settings.pg_database,
        "PGUSER": master["username"],
        "PGPASSWORD": master["password"],
        "PGSSLMODE": settings.pg_sslmode,
        "PGSSLROOTCERT": str(folder / settings.pg_sslrootcert),
        "PGCONNECT_TIMEOUT": str(TIMEOUT),
        "STACK_USER": settings.pg_user,
    }
    password = settings.pg_password.get_secret_value()
    try:
        psql(environ, ROLE, "--file=-")
        psql(environ, f"{password}\n{password}\n", *(f"--command={each}" for each in PASSWORD))
    except StartError as error:
        raise StartError(f"the role {settings.pg_user} cannot be prepared: {error}") from None


def psql(environ: Mapping[str, str], given: str, *arguments: str) -> None:
    """Run psql with something on its standard input."""
    done = subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", *arguments],
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        # Without a terminal, it reads passwords from its standard input.
        start_new_session=True,
    )
    if done.returncode:
        # Not the whole output, which quotes statements; nor the prompts for the password.
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Enter ")]
        raise StartError(next(iter(lines), "no reason given"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
