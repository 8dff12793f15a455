"""`restore --into`: another stack, which is created if need be."""

import re
from pathlib import Path

from mlflow_compose.actions.elsewhere import SCHEME
from mlflow_compose.actions.init_from import init_from_snapshot
from mlflow_compose.actions.plan import Plan, read_settings
from mlflow_compose.data.backup import archive_of, find
from mlflow_compose.data.backup.peek import folder_of, peek
from mlflow_compose.engines import other_ports
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.paths import stack_paths
from mlflow_compose.result import Progress
from mlflow_compose.settings import Settings

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
    return str((archive_of(name, top) or folder_of(name) or find(top, name).folder).absolute())


def provide_stack(plan: Plan, source: str, folder: Path, progress: Progress) -> tuple[Path, bool]:
    """Return the env file of the stack in a folder, and whether it is new.

    Args:
        plan: This stack, whose data the other one must not share.
        source: Snapshot whose settings a new stack gets.
        folder: Folder of the other stack.
        progress: Receiver of progress.

    Raises:
        UsageError: The folder is this stack's, there is no stack and none can be created, or both
            would have the same data.
        FilesError: The folder cannot be created.
    """
    env_file = folder / ".env"
    _check_folder(plan, env_file)
    if env_file.exists():
        used = external_places(plan.loaded.settings) & external_places(_settings(env_file, plan))
        if used:
            raise UsageError(f"both stacks have their data in {', '.join(sorted(used))}")
        return env_file, False
    if source.startswith(SCHEME):
        raise UsageError(f"there is no stack in {folder}", hint=NO_STACK_HINT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FilesError(f"{folder} cannot be created: {error.strerror}") from None
    _create(plan, env_file, Path(source), progress)
    return env_file, True


def _check_folder(plan: Plan, env_file: Path) -> None:
    """Refuse this stack's own folders, and one with the data of a stack whose env file is gone."""
    paths, folder = plan.paths, env_file.resolve().parent
    own = (paths.backups, paths.state, paths.compose, paths.local)
    if env_file.resolve() == paths.env_file or any(folder.is_relative_to(each) for each in own):
        raise UsageError(f"--into must be another folder than those of the stack, got {folder}")
    others = stack_paths(env_file)
    left = [each for each in (others.state, others.compose, others.local) if each.exists()]
    if left and not env_file.exists():
        raise UsageError(
            f"{left[0]} is of a stack, but there is no .env next to it",
            hint="bring its .env back, or choose another folder",
        )


def _create(plan: Plan, env_file: Path, source: Path, progress: Progress) -> None:
    values = {NAME: project_name(env_file.resolve().parent.name), **other_ports(plan.stack)}
    if peek(source).manifest.settings.get("CLASS_MODE") == "seats":
        # What they have stored is not in a snapshot, and their ports may be in use.
        values |= {"CLASS_MODE": "none", "CLASS_SEATS": ""}
    created = init_from_snapshot(env_file, values, source, None)
    # Also what the environment sets.
    if used := external_places(_settings(env_file, plan)):
        env_file.unlink()
        raise UsageError(
            f"a new stack would use {', '.join(sorted(used))}, which has the data of another",
            hint="mlflow-compose init --from creates a stack with settings of your choice",
        )
    for line in created.lines[:-1]:
        progress.note(line)


def _settings(env_file: Path, plan: Plan) -> Settings:
    loaded, _ = read_settings(env_file, plan.environ)
    return loaded.settings


def external_places(settings: Settings) -> set[str]:
    """Return the places of data that two stacks can share, as their settings name them."""
    found = set()
    if settings.backend_store == "postgres" and not settings.bundles_postgres:
        found.add(f"PG_HOST={settings.pg_host} (PG_DATABASE={settings.pg_database})")
    if settings.artifact_store == "s3" and not settings.bundles_s3:
        found.add(f"MINIO_HOST={settings.minio_host} ({settings.mlflow_bucket_name})")
    if settings.minio_volume_path:
        found.add(f"MINIO_VOLUME_PATH={settings.minio_volume_path}")
    return found


def project_name(folder: str) -> str:
    """Return the name of a stack that is called after its folder."""
    # Names of Compose projects: https://docs.docker.com/compose/how-tos/project-name/
    found = re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_")
    return found or "mlflow-copy"
