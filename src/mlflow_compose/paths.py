"""Paths: the templates and examples, and the files of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.errors import EnvFileError, FilesError, TemplatesMissingError
from mlflow_compose.files import write_whole

COMPOSE_FILE = "docker-compose.yaml"
OVERRIDE_FILE = "docker-compose.override.yaml"
# Of a chart: the user's own values, and the Secrets.
VALUES_FILE = "values.override.yaml"
SECRETS_FILE = "secrets/secrets.yaml"
SECRETS_DIR = "secrets"
STATE_DIR = ".mlflow-compose"
STATE_MODE = 0o600
# The folder of this package.
PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class StackPaths:
    """The files of one stack, all next to its env file."""

    env_file: Path

    @property
    def root(self) -> Path:
        """The stack's own directory."""
        return self.env_file.parent

    @property
    def state(self) -> Path:
        """The tool's state files: identity, record, lock."""
        return self.root / STATE_DIR

    @property
    def backups(self) -> Path:
        """The folder of snapshots."""
        return self.root / "backups"

    @property
    def classroom(self) -> Path:
        """The folder of a class: who works at which seat, and what is handed out."""
        return self.root / "class"

    @property
    def compose(self) -> Path:
        """The rendered tree of the Docker engine."""
        return self.root / "compose"

    @property
    def local(self) -> Path:
        """The rendered tree of the local engine, and its data."""
        return self.root / "local"

    @property
    def helm(self) -> Path:
        """The rendered chart of the Kubernetes engine."""
        return self.root / "helm"

    @property
    def compose_files(self) -> tuple[Path, ...]:
        """The files that Compose reads: the rendered one and the user's override, if they exist.

        Without files, Compose still finds running containers by the project name.
        """
        files = (self.compose / COMPOSE_FILE, self.compose / OVERRIDE_FILE)
        return tuple(file for file in files if file.exists())


def stack_paths(env_file: Path) -> StackPaths:
    """Return the paths of a stack, resolved: one env file is one stack, however it is spelled.

    Raises:
        EnvFileError: The path is a symlink loop, or contains a line break.
    """
    try:
        found = env_file.resolve()
    except (OSError, RuntimeError):
        # RuntimeError until Python 3.12: https://docs.python.org/3/library/pathlib.html
        raise EnvFileError(f"{env_file} cannot be read: the link points to itself") from None
    check_path(found)
    return StackPaths(found)


def check_path(env_file: Path) -> None:
    """Make sure that a path has no line break, which configuration files and logs cannot contain.

    Raises:
        EnvFileError: It contains one.
    """
    try:
        text = str(env_file.absolute())
    except FileNotFoundError:
        # The working directory was deleted; opening the file will report that.
        text = str(env_file)
    if "\n" in text or "\r" in text:
        raise EnvFileError(
            f"the path of a stack must not contain a line break, got {text!r}",
            hint="rename the folder (mv), then run the command again",
        )


def create_state_folder(paths: StackPaths) -> Path:
    """Create the folder of the tool's state, hidden from other users and from Git.

    Raises:
        FilesError: It cannot be created.
    """
    folder = paths.state
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        ignore = folder / ".gitignore"
        # Git ignores a .gitignore that is a link.
        if ignore.is_symlink() or not ignore.exists():
            write_whole(ignore, "*\n", STATE_MODE)
    except OSError as error:
        raise FilesError(
            f"{folder} cannot be written: {error.strerror}",
            hint=f"ls -ld {paths.root} shows the owner",
        ) from None
    return folder


def write_state(paths: StackPaths, name: str, text: str) -> None:
    """Write a state file.

    Raises:
        FilesError: It cannot be written; the old content stays.
    """
    path = create_state_folder(paths) / name
    try:
        write_whole(path, text, STATE_MODE)
    except OSError as error:
        raise FilesError(f"{path} cannot be written: {error.strerror}") from None


def templates() -> Path:
    """Return the folder of templates."""
    return _shipped("templates")


def examples() -> Path:
    """Return the folder that has a folder for each example."""
    return _shipped("examples")


def _shipped(name: str) -> Path:
    """Return a folder that ships with the tool: in the package, or at the top of a checkout."""
    for candidate in (PACKAGE / name, PACKAGE.parents[1] / name):
        if candidate.is_dir():
            return candidate
    raise TemplatesMissingError(
        f"the {name} next to {PACKAGE} are missing",
        hint="pip install --force-reinstall mlflow-compose",
    )


def sources(folder: str) -> Mapping[str, str]:
    """Return the text of every template below `folder`, by its path relative to that folder."""
    root = templates() / folder
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
