"""The wheels that `load` brought: with them, packages are installed without a network."""

from pathlib import Path

from mlflow_compose.stack import Build, wheels_key

FOLDER = "wheels"


def wheels_folder(cache: Path, key: str) -> Path:
    """Return the folder of the wheels of a build, which has all of them if it exists.

    Args:
        cache: Folder of installed packages.
        key: Key of the build.
    """
    return cache / FOLDER / key


def offline_options(cache: Path, build: Build) -> tuple[str, ...]:
    """Return the options that install a build from these wheels, none if there are none."""
    folder = wheels_folder(cache, wheels_key(build))
    return ("--offline", "--no-index", "--find-links", str(folder)) if folder.is_dir() else ()
