"""What `backup --every` needs in advance: at that time, no one is asked."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mlflow_compose.cli.context import Context
from mlflow_compose.cli.passphrase import new_passphrase
from mlflow_compose.errors import UsageError

OnlyOf = Annotated[
    str | None,
    typer.Option(metavar="ID", help="Fail if the stack has another id; for scheduled backups."),
]


def schedule(context: Context, every: str, keep: int | None, options: list[str]) -> NoReturn:
    """Let systemd or cron take backups with these options."""
    from mlflow_compose.actions.schedule import NEVER, schedule_backups

    kept = [f"--keep={keep}"] if keep else []
    with context.locked():
        plan = context.chosen_plan(only_here=every == NEVER)
        result = schedule_backups(plan, every, [*kept, *options])
    context.show(result)


def secrets_from(context: Context, passphrase_file: Path | None) -> list[str]:
    """Return the options of a backup with secrets, whose passphrase no one types.

    Raises:
        UsageError: There is no file with the passphrase, or it is too short.
    """
    if passphrase_file is None:
        raise UsageError("--every with --with-secrets needs --passphrase-file: no one is asked")
    new_passphrase(context, passphrase_file)
    return ["--with-secrets", f"--passphrase-file={passphrase_file.absolute()}"]


def sent_to(to: str | None, settings: Path | None) -> list[str]:
    """Return the options of a backup that is sent elsewhere.

    Raises:
        UsageError: The URL is none, or its settings are incomplete.
    """
    from mlflow_compose.actions.elsewhere import remote_of

    if to is None:
        return []
    if settings is None:
        raise UsageError("--every with --to needs --to-settings: it has no other environment")
    remote_of(to, settings, {})
    return [f"--to={to}", f"--to-settings={settings.absolute()}"]
