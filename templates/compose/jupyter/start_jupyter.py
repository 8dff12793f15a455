"""Starts JupyterLab, connected to the stack.

Notebooks work in folders of their own, so paths in variables become absolute. Secrets come from
files, and reach notebooks as the variables that MLflow's client reads.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Variables with a path, which is relative without containers.
PATHS = ("AWS_CA_BUNDLE", "AWS_SHARED_CREDENTIALS_FILE", "NOTEBOOKS")
# Folders below JUPYTER_HOME, by the variables that Jupyter, IPython and matplotlib read.
FOLDERS = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "MPLCONFIGDIR": "matplotlib",
    # Where %pip installs: the packages of the image are read-only, and without containers, those
    # of other stacks too.
    "PIP_PREFIX": "packages",
}
# Below PIP_PREFIX.
INSTALLED = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def main() -> None:
    """Replace this process by JupyterLab."""
    variables = dict(environment(os.environ))
    # Options that a notebook left here would override those of the stack, such as the token.
    shutil.rmtree(variables["JUPYTER_CONFIG_DIR"], ignore_errors=True)
    Path(variables["JUPYTER_RUNTIME_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Python would not notice that it is created later.
    Path(variables["PIP_PREFIX"], INSTALLED).mkdir(parents=True, exist_ok=True)
    # No argument is secret or depends on the stack: see config/jupyter_server_config.py.
    command = (sys.executable, "-m", "jupyterlab")
    os.execve(command[0], command, variables)  # noqa: S606 - no shell


def environment(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables of JupyterLab; later ones replace earlier ones."""
    yield from given.items()
    for name in PATHS:
        if name in given:
            yield name, str(Path(given[name]).absolute())
    home = Path(given["JUPYTER_HOME"]).absolute()
    for name, folder in FOLDERS.items():
        yield name, str(home / folder)
    secrets = Path(given["SECRETS_DIR"]).absolute()
    yield "JUPYTER_TOKEN_FILE", str(secrets / "jupyter_token")
    yield "JUPYTER_CONFIG_PATH", str(HERE / "config")
    own = (HERE / "plugins", home / FOLDERS["PIP_PREFIX"] / INSTALLED)
    yield "PYTHONPATH", os.pathsep.join(map(str, own))
    yield "PIP_DISABLE_PIP_VERSION_CHECK", "1"
    # pip would uninstall another version where it is, which may be shared with other stacks.
    yield "PIP_IGNORE_INSTALLED", "1"
    login = secrets / "jupyter_login.json"
    if login.exists():
        yield from json.loads(login.read_text(encoding="utf-8")).items()


if __name__ == "__main__":
    main()
