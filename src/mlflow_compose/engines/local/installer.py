"""Run uv, which installs packages."""

import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow_compose.engines.install_hints import install_hint
from mlflow_compose.errors import BuildError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Build

SHOWN_LINES = 12
UMASK = 0o022


def environment(build: Build, folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of uv, with the build secrets that the image's build also gets."""
    environ = {name: value for name, value in environ.items() if name != "VIRTUAL_ENV"}
    if _has_certificates():
        # As pip does; networks that intercept TLS then need no setting.
        environ.setdefault("UV_SYSTEM_CERTS", "true")
    for secret in build.secrets:
        if secret.name == "pip_index_url":
            environ["UV_DEFAULT_INDEX"] = secret.text
        elif secret.file is not None:
            environ["SSL_CERT_FILE"] = str(folder / secret.file)
    return environ


def _has_certificates() -> bool:
    paths = ssl.get_default_verify_paths()
    return sys.platform == "darwin" or bool(paths.cafile or paths.capath)


def uv_program() -> str:
    """Return the path of uv, which is installed with this tool."""
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError:
        return "uv"


def run_uv(
    environ: Mapping[str, str],
    mask: Callable[[str], str],
    progress: Progress,
    *arguments: str,
) -> None:
    """Run uv and show its output.

    Args:
        environ: Its environment.
        mask: Returns a text without the stack's secrets.
        progress: Receiver of progress.
        arguments: Its command line.

    Raises:
        BuildError: It failed; the message has the end of its output.
    """
    process = subprocess.Popen(
        [uv_program(), *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        umask=UMASK,
    )
    lines = []
    with process:
        for line in process.stderr or ():
            lines.append(mask(line.rstrip()))
            progress.detail(lines[-1].strip())
    if process.returncode:
        shown = "\n  ".join(["", *[line for line in lines if line][-SHOWN_LINES:]])
        raise BuildError(
            f"the packages could not be installed:{shown}", hint=install_hint("\n".join(lines))
        )
