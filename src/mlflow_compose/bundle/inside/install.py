"""Install mlflow-compose, or MLflow's client, from a bundle on a machine without a network.

    python3 install.pyz BUNDLE [tool|client] [FOLDER]

It needs Python 3.11 or newer and nothing else. It creates FOLDER, a virtual environment: by
default, mlflow-compose-tool or mlflow-client in the current folder.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_compose.bundle.inside.sealed import Damaged, check, chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow_compose.bundle.inside.sealed import Contents

OLDEST = (3, 11)
TOOL, CLIENT = "tool", "client"
FOLDERS = {TOOL: "mlflow-compose-tool", CLIENT: "mlflow-client"}
# Of a wheel, or of the sources of a package that has none.
PACKAGE_FILE = re.compile(r"\w[\w.+!-]*\.(?:whl|tar\.gz)", re.ASCII)
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
PROCESSORS = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Refused(Exception):  # noqa: N818 - what the machine gets
    """A bundle does not fit this machine; the message gives the reason."""


def this_platform() -> str:
    """Return the name of this machine's platform, such as linux/amd64."""
    processor = platform.machine().lower()
    return f"{SYSTEMS.get(sys.platform, sys.platform)}/{PROCESSORS.get(processor, processor)}"


def this_python() -> str:
    """Return the version of this Python, such as 3.13."""
    return ".".join(map(str, sys.version_info[:2]))


def wheels_of(manifest: Mapping[str, Any], name: str) -> Mapping[str, str]:
    """Return the wheels of a set for this machine: file names by the digests of their contents.

    Raises:
        Refused: The bundle has none for this machine.
    """
    sets = [each for each in manifest["sets"] if each["name"] == name]
    here = (this_platform(), this_python())
    for each in sets:
        if (each["platform"], each["python"]) == here:
            found = {str(sha256): str(wheel) for sha256, wheel in each["wheels"].items()}
            if not all(map(PACKAGE_FILE.fullmatch, found.values())):
                raise Damaged("it contains wheels with unusual names")
            return found
    others = ", ".join(sorted({f"Python {each['python']} on {each['platform']}" for each in sets}))
    raise Refused(
        f"this bundle is for {others or 'other uses'}; this is Python {here[1]} on {here[0]}"
    )


def copy_wheels(
    path: str | Path, contents: Contents, wheels: Mapping[str, str], folder: Path
) -> None:
    """Write wheels into a folder."""
    for sha256, name in wheels.items():
        with (folder / name).open("wb") as file:
            for chunk in chunks(path, contents, f"wheels/{sha256}"):
                file.write(chunk)


def install(path: Path, name: str, folder: Path) -> None:
    """Install a set into a new virtual environment; it is complete, or does not exist.

    Raises:
        Damaged: The bundle is damaged; nothing was written.
        Refused: It does not fit this machine, or the folder exists.
        OSError: The bundle cannot be read, or the folder cannot be written.
    """
    if sys.version_info < OLDEST:
        raise Refused(f"Python 3.11 or newer is needed, and this is {this_python()}")
    if folder.exists():
        raise Refused(f"{folder} exists already; remove it, or name another folder")
    contents = check(path)
    wheels = wheels_of(contents.manifest, name)
    # Next to it: the folder for temporary files may be small, or not allow programs.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as found:
        work = Path(found)
        copy_wheels(path, contents, wheels, work)
        uv = _extracted_uv(path, contents, work)
        environ = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        environ["UV_CACHE_DIR"] = str(work / "cache")
        new = work / "new"
        python = ("--python", sys.executable)
        options = ("--offline", "--no-config", "--quiet")
        _run(uv, "venv", "--relocatable", *python, *options, str(new), environ=environ)
        files = [str(work / wheel) for wheel in wheels.values()]
        into = ("--python", str(new), "--no-index", "--no-deps", *options)
        _run(uv, "pip", "install", *into, *files, environ=environ)
        new.rename(folder)


def _extracted_uv(path: Path, contents: Contents, work: Path) -> str:
    """Return the path of uv, which is a program in one of the wheels of the tool."""
    wheels = wheels_of(contents.manifest, TOOL)
    found = {sha256: wheel for sha256, wheel in wheels.items() if wheel.startswith("uv-")}
    copy_wheels(path, contents, found, work)
    program = work / ("uv.exe" if sys.platform == "win32" else "uv")
    with zipfile.ZipFile(work / next(iter(found.values()))) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(f"/scripts/{program.name}"))
        with archive.open(name) as source, program.open("wb") as target:
            shutil.copyfileobj(source, target)
    program.chmod(0o755)
    return str(program)


def _run(*command: str, environ: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environ, check=False)
    if done.returncode:
        raise Refused("the packages could not be installed; see above")


def main(arguments: list[str]) -> int:
    """Install what the command line names; return the exit code."""
    try:
        path, name, folder = _parsed(arguments)
    except ValueError:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        install(path, name, folder)
    except Damaged as error:
        print(f"error: {path} is damaged or incomplete: {error}", file=sys.stderr)
        return 1
    except (Refused, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    print(f"installed the {name} in {folder}")
    print(f"Next       {programs / 'mlflow-compose'} load {path}" if name == TOOL
          else f"Python     {programs / 'python'}")  # fmt: skip
    return 0


def _parsed(arguments: list[str]) -> tuple[Path, str, Path]:
    """Return the bundle, the name of the set, and the folder that a command line names.

    Raises:
        ValueError: It is none of this program.
    """
    bundle, name, folder = (*arguments, *[""] * (3 - len(arguments)))
    name = name or TOOL
    if not bundle or name not in FOLDERS:
        raise ValueError
    return Path(bundle), name, Path(folder or FOLDERS[name]).absolute()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
