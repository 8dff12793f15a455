"""`restore --into`: another stack, which is created if need be."""

import re
from pathlib import Path

from mlflow_compose.actions.elsewhere import SCHEME
from mlflow_compose.actions.init_from import init_from_snapshot, is_snapshot
from mlflow_compose.actions.plan import Plan
from mlflow_compose.data.backup import archive_of, find
from mlflow_compose.engines import other_ports
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.result import Progress

NAME = "COMPOSE_PROJECT_NAME"
NO_STACK_HINT = "mlflow-compose init --from creates one from manifest.json and secrets.age"


def source_of(plan: Plan, name: str) -> str:
    """Return what another stack can restore: the absolute path of a snapshot, or its URL.

    Args:
        plan: The stack whose snapshots are named.
        name: Name or path of a snapshot or archive, or a URL.

    Raises:
        SnapshotError: There is none.
    """
    if name.startswith(SCHEME):
        return name
    top = plan.paths.backups
    if is_snapshot(Path(name)):
        return str(Path(name).absolute())
    return str((archive_of(name, top) or find(top, name).folder).absolute())


def provide_stack(plan: Plan, source: str, folder: Path, progress: Progress) -> Path:
    """Return the env file of the stack in a folder, after creating one that can run beside this.

    Args:
        plan: This stack.
        source: Snapshot whose settings a new stack gets.
        folder: Folder of the other stack.
        progress: Receiver of progress.

    Raises:
        UsageError: There is no stack, and none can be created from this source.
        FilesError: The folder cannot be created.
    """
    env_file = folder / ".env"
    if env_file.exists():
        return env_file
    if source.startswith(SCHEME):
        raise UsageError(f"there is no stack in {folder}", hint=NO_STACK_HINT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FilesError(f"{folder} cannot be created: {error.strerror}") from None
    given = {NAME: project_name(folder.resolve().name), **other_ports(plan.stack)}
    for line in init_from_snapshot(env_file, given, Path(source), None).lines[:-1]:
        progress.note(line)
    return env_file


def project_name(folder: str) -> str:
    """Return the name of a stack that is called after its folder."""
    # Names of Compose projects: https://docs.docker.com/compose/how-tos/project-name/
    found = re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_")
    return found or "mlflow-copy"
