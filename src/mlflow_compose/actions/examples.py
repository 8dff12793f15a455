"""`example`: list the examples, and copy one."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose import paths
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.payloads import ExampleCopied, ExampleListed, ExamplesList
from mlflow_compose.result import Result

# The order in which a newcomer reads them.
NAMES = (
    "no-server",
    "local-server",
    "tracking",
    "autologging",
    "tuning",
    "history",
    "registry",
    "projects",
    "tracing",
    "dvc",
    "rest",
    "r",
)
README = "README.md"


@dataclass(frozen=True)
class Example:
    """An example, as its README describes it.

    Attributes:
        name: Name, and that of its folder.
        about: First paragraph.
        commands: First shell block: the commands that run it, in the stack's folder.
    """

    name: str
    about: str
    commands: tuple[str, ...]

    def commands_in(self, folder: Path) -> tuple[str, ...]:
        """Return the commands that run a copy in another folder than that of its name."""
        path, name = shlex.quote(str(folder)), re.escape(self.name)
        return tuple(re.sub(rf"(?<= ){name}(?=/|$)", lambda _: path, one) for one in self.commands)


def list_examples() -> Result:
    """Return all examples with one sentence each."""
    found = [read_example(name) for name in NAMES]
    width = max(map(len, NAMES))
    lines = [f"{example.name:{width}}  {example.about}" for example in found]
    listed = [ExampleListed(example.name, example.about) for example in found]
    return Result(ExamplesList(listed), [*lines, "", "copy one: mlflow-compose example NAME"])


def copy_example(name: str, output: Path | None) -> Result:
    """Copy an example into a new folder, by default one of its name.

    Raises:
        UsageError: There is no such example.
        FilesError: The folder exists, or cannot be written.
    """
    if name not in NAMES:
        raise UsageError(
            f"there is no example {name}", hint="mlflow-compose example lists all of them"
        )
    example, folder = read_example(name), output or Path(name)
    _copy(paths.examples() / name, folder)
    commands = example.commands_in(folder)
    lines = [f"copied to {folder}; run it with", *(f"  {command}" for command in commands)]
    return Result(ExampleCopied(name, str(folder), commands), lines)


def read_example(name: str) -> Example:
    """Return an example as its README describes it."""
    text = (paths.examples() / name / README).read_text(encoding="utf-8")
    _, about, _ = text.split("\n\n", 2)
    block = text.split("```bash\n", 1)[1].split("```", 1)[0]
    return Example(name, " ".join(about.split()), tuple(block.splitlines()))


def _copy(source: Path, folder: Path) -> None:
    try:
        shutil.copytree(
            source,
            folder,
            # Without the modes of an installation, which may be read-only.
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    except FileExistsError:
        raise FilesError(
            f"{folder} exists already, and is not overwritten",
            hint=f"mlflow-compose example {source.name} --output DIR copies to another folder",
        ) from None
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or "some files could not be copied"
        raise FilesError(
            f"{folder} cannot be written: {reason}",
            hint=f"mlflow-compose example {source.name} --output DIR copies to another folder",
        ) from None
