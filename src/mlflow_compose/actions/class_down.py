"""`class down`: stop a class, and with `--volumes` leave nothing of it behind."""

from collections.abc import Mapping
from pathlib import Path

from mlflow_compose.actions.class_access import MEMBERS
from mlflow_compose.actions.class_handout import remove_handouts
from mlflow_compose.actions.class_setup import SECRET_LENGTH, check_class, generated
from mlflow_compose.actions.down import down
from mlflow_compose.actions.new_settings import with_values
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import FilesError
from mlflow_compose.payloads import ClassStopped
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.class_rules import LEAST_SECRET
from mlflow_compose.settings.load import ENVIRONMENT

AGAIN = "mlflow-compose class up starts the class again"


def class_down(plan: Plan, engine: Engine, progress: Progress, *, volumes: bool) -> Result:
    """Stop the class; with `volumes`, delete its data, its secrets, its roster and its hand-outs.

    The rest of the env file stays: the folder is an ordinary stack again, without data.

    Raises:
        UsageError: There is no class, or the environment sets its settings.
        EngineError: Something could not be deleted.
    """
    check_class(plan)
    if not volumes:
        stopped = down(plan, engine, progress, volumes=False, again=AGAIN)
        return Result(ClassStopped(plan.stack.name, volumes, []), stopped.lines)
    values = {"CLASS_MODE": "none", "CLASS_SEATS": "", **_new_secret(plan)}
    # Before anything is deleted: the environment may set one of them.
    change, after = with_values(plan, values, "class down")
    stopped = down(plan, engine, progress, volumes=True)
    edited = remove_handouts(plan)
    deleted = _delete(plan.paths.classroom)
    # Last, so that the command can be repeated if something could not be deleted.
    change.apply()
    # Secrets of the seats are rendered files.
    write(after.rendering(), after.folder)
    lines = [
        *stopped.lines,
        *(f"deleted {path}" for path in deleted),
        *(f"kept {path}, which was edited" for path in edited),
    ]
    return Result(ClassStopped(plan.stack.name, volumes, deleted), lines)


def _new_secret(plan: Plan) -> Mapping[str, str]:
    """Return another secret: seats of the next class may have the same names.

    Passwords depend on both, so those of this class would open the next one.
    """
    if plan.loaded.sources.get("CLASS_SECRET") == ENVIRONMENT:
        return {}
    return generated("CLASS_SECRET", "", LEAST_SECRET, SECRET_LENGTH)


def _delete(folder: Path) -> list[str]:
    """Delete the roster; return what was deleted.

    Other files there may be the teacher's own.
    """
    path = folder / MEMBERS
    try:
        path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FilesError(f"{path} cannot be deleted: {error.strerror}") from None
    return [f"{folder.name}/{MEMBERS}"]
