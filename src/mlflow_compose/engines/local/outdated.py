"""Find out whether files changed after the start of the services that read them."""

from pathlib import Path

from mlflow_compose.engines.local.supervisor import RUN
from mlflow_compose.paths import SECRETS_DIR
from mlflow_compose.stack import Service


def changed_since_start(folder: Path, service: Service) -> bool:
    """Tell whether a script or a secret of a service changed since it started."""
    read = (secret for secret in service.secrets if not secret.is_reread)
    secrets = [folder / SECRETS_DIR / secret.path for secret in read]
    files = (*secrets, *(folder / service.name).rglob("*"))
    mark = folder / RUN / f"{service.name}.started"
    return changed_since(mark, *(file for file in files if file.is_file()))


def changed_since(mark: Path, *files: Path) -> bool:
    """Tell whether a file is newer than a mark, or there is no mark.

    Compares file times only: start times of processes are in whole seconds.
    """
    changed = max(file.stat().st_mtime_ns for file in files)
    try:
        return changed > mark.stat().st_mtime_ns
    except FileNotFoundError:
        return True
