"""Undo a migration before MLflow has run on the new stores."""

from typing import Protocol

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.ongoing import mark, unmark
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.render import write
from mlflow_compose.result import Progress

# A second Ctrl-C also ends the commands that restore the stack.
TRIES = 3


class Undoable(Protocol):
    """What is needed to undo a migration: the stack before it, and the change of its env file."""

    @property
    def old(self) -> Plan:
        """The stack before the migration."""

    @property
    def env(self) -> EnvChange:
        """Change of the env file."""


def roll_back(
    move: Undoable,
    engine: Engine,
    progress: Progress,
    wait_timeout: float,
    *,
    interrupted: bool,
) -> str:
    """Restore the old stack; return a sentence for the user.

    Args:
        move: Migration to undo.
        engine: Engine of the old stack.
        progress: Receiver of progress.
        wait_timeout: Seconds until every service must be healthy.
        interrupted: Whether a signal ended the migration, not an error.
    """
    try:
        return _roll_back(move, engine, progress, wait_timeout, interrupted=interrupted)
    except KeyboardInterrupt:
        # The first signal; later ones are ignored.
        return _roll_back(move, engine, progress, wait_timeout, interrupted=True)


def _roll_back(
    move: Undoable,
    engine: Engine,
    progress: Progress,
    wait_timeout: float,
    *,
    interrupted: bool,
) -> str:
    message = "the stack was restored"
    try:
        move.env.undo()
    except MlflowComposeError as error:
        message = f"{error.message}, so it may name the new stores; apart from that, {message}"
    why = ""
    for _ in range(TRIES if interrupted else 1):
        try:
            if interrupted:
                # Docker may still be finishing the interrupted command's request, such as a stop.
                engine.stop(progress, volumes=False)
            # From now on, the old stores may receive data that was not copied.
            mark(move.old.paths)
            write(move.old.rendering(), move.old.folder)
            engine.start(progress, wait_timeout=wait_timeout)
        except MlflowComposeError as error:
            why = error.message
        else:
            unmark(move.old.paths)
            return message
    return f"the stack could not be restored: {why}; mlflow-compose up tries again"
