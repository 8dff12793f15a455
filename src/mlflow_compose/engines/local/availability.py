"""Check whether a stack can run without containers on this machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.engines.data_paths import check_outside, data_path
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import LOCAL_PROVIDERS, PROVIDERS, Service, Stack, needs_docker

KEY = ("MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY")
USERADD = (
    "useradd",
    "--system",
    "--no-create-home",
    "--home-dir=/nonexistent",
    "--shell=/usr/sbin/nologin",
)


def check(stack: Stack, platform: str = sys.platform) -> None:
    """Make sure that this machine and these settings can be used.

    Args:
        stack: Stack to run.
        platform: Value of `sys.platform`.

    Raises:
        EngineError: They cannot; the message gives the reason.
    """
    if platform == "win32":
        raise EngineError(
            "the local engine does not run on Windows itself, only in WSL",
            hint="run the same command in a WSL terminal, or install Docker Desktop",
        )
    # rclone splits its key at the comma, and has no escape for one.
    for name, part in zip(KEY, stack.app_key, strict=True) if stack.has("s3") else ():
        if "," in part:
            raise EngineError(
                f"{name} must not contain a comma: the local engine's S3 server cannot read it",
                hint=f"set another {name} in .env",
            )


def check_data(stack: Stack, folder: Path) -> None:
    """Make sure that the S3 server can run here and can read its folder.

    Args:
        stack: Stack to run.
        folder: Folder of its rendered files.

    Raises:
        EngineError: It cannot.
    """
    if stack.s3_provider and stack.s3_provider not in LOCAL_PROVIDERS:
        raise EngineError(
            needs_docker(stack.s3_provider),
            hint="remove S3_PROVIDER from .env, or set STACK_ENGINE=docker",
        )
    for name in stack.folders:
        path = data_path(folder, name)
        check_outside(folder, path)
        for provider in PROVIDERS.values():
            if provider.mark and (path / provider.mark).exists():
                raise EngineError(
                    f"MINIO_VOLUME_PATH ({name}) holds data of S3_PROVIDER {provider.name}, "
                    "which this engine cannot read",
                    hint="set MINIO_VOLUME_PATH to another folder, or STACK_ENGINE=docker in .env",
                )


def check_user(stack: Stack) -> None:
    """Make sure that PostgreSQL can look up the name of this user, as it must to start.

    Containers often run as a user id without a name.

    Raises:
        EngineError: The user has no name.
    """
    import pwd

    if not stack.stores.bundles_postgres:
        return
    number = os.geteuid()
    try:
        pwd.getpwuid(number)
    except KeyError:
        raise EngineError(
            f"PostgreSQL cannot run as user {number}, which has no name on this machine",
            hint=f"add user {number} to /etc/passwd, or set BACKEND_STORE=sqlite in .env",
        ) from None


def create_user(service: Service) -> None:
    """Create the user that a service runs as, if root starts the stack."""
    import pwd

    name = service.environment.get("RUN_AS")
    if not name or not machine.is_root():
        return
    try:
        pwd.getpwnam(name)
    except KeyError:
        pass
    else:
        return
    if shutil.which(USERADD[0]) is None:
        raise EngineError(
            "PostgreSQL refuses to run as root, and there is no useradd to create a user for it",
            hint=f"create a user named {name}, or start the stack as an ordinary user",
        )
    done = subprocess.run([*USERADD, name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(
            f"the user {name}, which PostgreSQL runs as, cannot be created: {done.stderr.strip()}",
            hint="start the stack as an ordinary user",
        )
