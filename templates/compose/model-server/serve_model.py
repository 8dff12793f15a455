"""Serve a registered model: fetch it, install what it needs, and run MLflow's scoring server.

It runs with MLflow's own packages; the model gets an environment of its own, from the requirements
that were logged with it. Everything is in one folder, so that the next start is quick. What goes
wrong ends it with exit code 1 and a sentence.
"""

import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

# Prefix of the sentence about a failure, by which mlflow-compose finds it in the log.
PREFIX = "serve_model: "
UV = "uv==0.13.8"
# Needed by `mlflow models serve`, and missing in mlflow-skinny.
SERVER = ("fastapi", "uvicorn", "pandas")
EXAMPLE = "serving_input_example.json"
SHOWN_CHARACTERS = 400
# Seconds.
TIMEOUT = 60
# How lines with the reason begin that pip and uv print.
BEGINNINGS = ("error", "ERROR", "\u00d7")
# Variables of this script and of MLflow's client, which are not for the model.
OWN = ("AWS_", "INSTALL_", "MLFLOW_S3_", "MODEL_", "PYTHONPATH", "PYTHONSAFEPATH", "SECRETS_DIR")


# What `mlflow models serve` does, without a second process, which would need as much memory and not
# pass signals on.
LAUNCH = """
import os, sys
from mlflow.pyfunc.scoring_server import get_cmd

model, host, port = sys.argv[1:]
command, environ = get_cmd(model_uri=model, host=host, port=int(port), nworkers=1)
os.execvpe("sh", ["sh", "-c", f"exec {command}"], environ)
"""


class ServingError(Exception):
    """The model cannot be served; the message gives the reason."""


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: Name of the registered model.
        version: Its number.
        alias: Alias that it was found by, if any.
        created: When it was registered: a deleted model may be registered again.
    """

    name: str
    version: str
    alias: str
    created: int

    @property
    def text(self) -> str:
        """The version for users."""
        return f"{self.name} version {self.version}"


def main() -> int:
    """Serve the model that the environment describes; only returns if that fails."""
    environ = dict(os.environ)
    secrets = Path(environ["SECRETS_DIR"])
    file = secrets / "model_login.json"
    login = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    # For MLflow's client, which fetches the model.
    os.environ.update(login)
    root = Path(environ["SERVING_FOLDER"]).absolute()
    try:
        version = resolved(environ, login)
        alias = f" (alias {version.alias})" if version.alias else ""
        print(f"serving {version.text}{alias}")
        folder = root / "models" / environ["SERVICE_NAME"]
        model = fetched(version, folder)
        python = installed(model, root, installer_environment(environ, root))
        write_state(folder, version, environ["SERVICE_NAME"], model)
        serve(model, python, environ)
    except ServingError as error:
        print(f"{PREFIX}{error}", file=sys.stderr)
        return 1


def resolved(environ: Mapping[str, str], login: Mapping[str, str]) -> Version:
    """Return the version that an alias refers to now, or the given one.

    Not with MLflow's client: see `fetched`.
    """
    name, alias = environ["MODEL_NAME"], environ.get("MODEL_ALIAS", "")
    query = {"name": name, **({"alias": alias} if alias else {"version": environ["MODEL_VERSION"]})}
    endpoint = "registered-models/alias" if alias else "model-versions/get"
    url = f"{environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{endpoint}?{urlencode(query)}"
    request = Request(url)  # noqa: S310 - the stack's own server
    if login:
        pair = b64encode(":".join(login.values()).encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT) as answer:
            found = json.load(answer)["model_version"]
    except HTTPError as error:
        text = error.read().decode(errors="replace")
        raise ServingError(f"MLflow does not return it: {one_line(text)}") from None
    except OSError as error:
        raise ServingError(f"MLflow does not answer: {error}") from None
    return Version(name, str(found["version"]), alias, int(found["creation_timestamp"]))


def fetched(version: Version, folder: Path) -> Path:
    """Return the folder of the model, which is only fetched if it is another one than before."""
    model, state = folder / "model", folder / "version.json"
    wanted = json.dumps([version.name, version.version, version.created])
    if state.exists() and state.read_text(encoding="utf-8") == wanted:
        return model
    # Not before it is needed: importing it takes longer than the rest of a restart.
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"fetching {version.text}")
    try:
        download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(model))
    except (MlflowException, OSError) as error:
        raise ServingError(f"its files cannot be fetched: {one_line(str(error))}") from None
    if not (model / "MLmodel").exists():
        raise ServingError("it has no file MLmodel, so it was not logged as a model")
    state.write_text(wanted, encoding="utf-8")
    return model


def installed(model: Path, root: Path, environ: Mapping[str, str]) -> Path:
    """Return the Python of the model's environment; models with equal requirements share it."""
    requirements = model / "requirements.txt"
    if not requirements.exists():
        raise ServingError("it was logged without requirements.txt, so nothing can be installed")
    wanted = "\0".join((requirements.read_text(encoding="utf-8"), *SERVER, sys.version))
    folder = root / "environments" / hashlib.sha256(wanted.encode()).hexdigest()[:16]
    python, mark = folder / "bin" / "python", folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two models may need the same environment at the same time.
    with locked(folder.with_suffix(".lock")):
        if mark.exists() and python.exists():
            return python
        uv = installer(root, environ)
        print("installing its requirements")
        shutil.rmtree(folder, ignore_errors=True)
        run([*uv, "venv", "--quiet", "--python", matching_python(model), str(folder)], environ)
        # Relative paths in it are relative to the model.
        run(
            [*uv, "pip", "install", "--python", str(python), "-r", "requirements.txt", *SERVER],
            environ,
            cwd=model,
        )
        mark.touch()
    return python


def matching_python(model: Path) -> str:
    """Return the Python to install for: this one; note if the model was logged with another."""
    import yaml

    file = model / "python_env.yaml"
    logged = str(yaml.safe_load(file.read_text(encoding="utf-8"))["python"]) if file.exists() else ""
    own = "{}.{}".format(*sys.version_info[:2])
    if logged and logged.split(".")[:2] != own.split("."):
        print(f"it was logged with Python {logged}, and is served with {own}")
    return getattr(sys, "_base_executable", sys.executable)


def installer(root: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the command line of uv; without a given one, it is installed first."""
    if given := environ.get("UV"):
        return [given]
    folder = root / "uv"
    with locked(root / "uv.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            run([sys.executable, "-m", "venv", str(folder)], environ)
            quiet = ("--quiet", "--disable-pip-version-check")
            run([str(folder / "bin" / "python"), "-m", "pip", "install", *quiet, UV], environ)
            (folder / "complete").touch()
    return [str(folder / "bin" / "uv")]


def installer_environment(environ: Mapping[str, str], root: Path) -> Mapping[str, str]:
    """Return the environment of pip and uv, with the package index and the CA certificates."""
    found = without_own(environ)
    found |= {"UV_CACHE_DIR": str(root / "cache"), "PIP_NO_CACHE_DIR": "1", "UV_NO_PROGRESS": "1"}
    system = ssl.get_default_verify_paths()
    if sys.platform == "darwin" or system.cafile or system.capath:
        # As pip does; networks that intercept TLS then need no setting.
        found.setdefault("UV_SYSTEM_CERTS", "true")
    index = Path(environ["SECRETS_DIR"]) / "pip_index_url"
    if index.exists():
        url = index.read_text(encoding="utf-8").strip()
        found |= {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}
        if url.startswith("http://"):
            found["PIP_TRUSTED_HOST"] = url.removeprefix("http://").partition("/")[0].split("@")[-1]
    if added := environ.get("INSTALL_CA_CERTS"):
        own = [Path(system.cafile)] if system.cafile else []
        texts = [file.read_bytes() for file in (*own, Path(added))]
        root.mkdir(parents=True, exist_ok=True)
        together = root / f"ca-{environ['SERVICE_NAME']}.pem"
        together.write_bytes(b"\n".join(texts))
        found |= {"PIP_CERT": str(together), "SSL_CERT_FILE": str(together)}
    return found


def run(command: list[str], environ: Mapping[str, str], cwd: Path | None = None) -> None:
    """Run a command of the installation; its output goes to the log."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            command, env=environ, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, check=False
        )
        output.seek(0)
        text = output.read()
    print(text, end="")
    if done.returncode:
        raise ServingError(f"its requirements cannot be installed: {reason(text)}")


def write_state(folder: Path, version: Version, service: str, model: Path) -> None:
    """Write what `mlflow-compose serve` reads: the version, and where its input example is."""
    example = model / EXAMPLE
    state = {"service": service, **asdict(version), "example": str(example) if example.exists() else ""}
    new = folder / "served.new"
    new.write_text(json.dumps(state) + "\n", encoding="utf-8")
    new.replace(folder / "served.json")


def serve(model: Path, python: Path, environ: Mapping[str, str]) -> NoReturn:
    """Become the server of the model."""
    kept = without_own(environ)
    kept["PATH"] = os.pathsep.join((str(python.parent), environ["PATH"]))
    # uv leaves compiling to the first import, whose result the next start would otherwise repeat.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.stdout.flush()
    # Not in a folder with packages of its own.
    os.chdir(model.parent)
    listen = (environ["SERVING_HOST"], environ["SERVING_PORT"])
    os.execve(python, [str(python), "-c", LAUNCH, str(model), *listen], kept)


def without_own(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that are not for the model."""
    return {name: value for name, value in environ.items() if not name.startswith(OWN)}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other servers of models out while the block runs."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def reason(text: str) -> str:
    """Return the reason in the output of pip or uv, without what they printed before."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if line.startswith(BEGINNINGS)), 0)
    return one_line("\n".join(lines[first:]).lstrip("\u00d7 "))


def one_line(text: str) -> str:
    """Return a text on one line, from its start."""
    return " ".join(text.split())[:SHOWN_CHARACTERS]


if __name__ == "__main__":
    sys.exit(main())
