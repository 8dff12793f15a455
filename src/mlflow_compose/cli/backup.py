"""Commands that keep the data: snapshots and what is done with them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mlflow_compose.cli.context import Context, WaitTimeout, context_of
from mlflow_compose.cli.passphrase import PassphraseFile, new_passphrase
from mlflow_compose.cli.schedule import OnlyOf, schedule, secrets_from, sent_to
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan

app = typer.Typer()
To = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Also send it to another S3 server: s3://BUCKET[/PREFIX]."),
]
S3Settings = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Env file with the variables of that S3 server. Default: the environment.",
        readable=False,
    ),
]
Interval = Annotated[
    str | None,
    typer.Option(
        metavar="INTERVAL",
        help="Let systemd or cron take one every 30m, 6h, 1d and so on; never ends that.",
    ),
]
Archive = Annotated[
    bool, typer.Option("--archive", help="Write one file, backups/NAME.tar, instead of a folder.")
]
Keep = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Delete all but the N newest snapshots afterwards."),
]


@app.command(epilog="Example: mlflow-compose backup before-the-course")
def backup(  # noqa: PLR0913, PLR0917 - independent options
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of the snapshot. Default: the time."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the snapshot NAME again instead of taking one.")
    ] = False,
    keep: Keep = None,
    archive: Archive = False,
    with_secrets: Annotated[
        bool,
        typer.Option(
            "--with-secrets", help="Include .env, encrypted with a passphrase, which is asked for."
        ),
    ] = False,
    passphrase_file: PassphraseFile = None,
    to: To = None,
    to_settings: S3Settings = None,
    every: Interval = None,
    only_of: OnlyOf = None,
) -> None:
    """Take a snapshot of the stack, which may be in use.

    Database and objects are copied to backups/, next to .env. Objects that have not changed
    since the last snapshot are linked.
    """
    context = context_of(ctx)
    if every is not None:
        if name or verify or archive:
            raise UsageError("--every cannot be combined with NAME, --verify or --archive")
        secret = secrets_from(context, passphrase_file) if with_secrets else ()
        schedule(context, every, keep, [*secret, *sent_to(to, to_settings)])
    if verify:
        if name is None or keep is not None or archive or with_secrets or to:
            raise UsageError("--verify takes the name of a snapshot, and no other option")
        _verify(context, name)
    if archive and to:
        raise UsageError("--archive cannot be combined with --to")
    # Before taking the lock: the user may never answer.
    passphrase = new_passphrase(context, passphrase_file) if with_secrets else None
    _backup(context, (name, keep, passphrase, archive), to, to_settings, only_of)


def _verify(context: Context, name: str) -> NoReturn:
    from mlflow_compose.actions.backup import verify_backup

    plan = context.chosen_plan(only_here=True)
    context.show(verify_backup(plan, context.console, name))


def _backup(
    context: Context,
    wanted: tuple[str | None, int | None, str | None, bool],
    to: str | None,
    to_settings: Path | None,
    only_of: str | None,
) -> NoReturn:
    from mlflow_compose.actions.backup import Wanted, backup
    from mlflow_compose.actions.elsewhere import remote_of

    remote = remote_of(to, to_settings, context.environ) if to else None
    with context.locked():
        plan, now = context.chosen_plan(), datetime.now(UTC)
        if only_of and only_of != plan.identity.id:
            raise UsageError(
                f"the stack has the id {plan.identity.id}, not {only_of}",
                hint="mlflow-compose backup --every schedules backups of this one",
            )
        engine = context.engine(plan)
        result = backup(plan, engine, context.console, now, Wanted(*wanted, remote))
    context.show(result)


@app.command(epilog="Example: mlflow-compose snapshots")
def snapshots(ctx: typer.Context) -> None:
    """List the snapshots with their age, size and contents."""
    from mlflow_compose.actions.snapshots import list_snapshots

    context = context_of(ctx)
    context.show(list_snapshots(context.plan(), datetime.now(UTC)))


@app.command(epilog="Example: mlflow-compose restore before-the-course --yes")
def restore(  # noqa: PLR0913, PLR0917 - independent options
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name or path of a snapshot or archive, or s3://BUCKET/…."
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Restore into the stack in FOLDER instead; a new one with free ports is created "
            "if there is none.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    from_settings: S3Settings = None,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Replace all runs, models and artifacts by those of a snapshot.

    A snapshot of the stack as it is now is taken first. If anything fails, it is put back.
    """
    from mlflow_compose.actions.elsewhere import SCHEME, remote_snapshot
    from mlflow_compose.actions.restore import Work
    from mlflow_compose.actions.restore_from import restore_from

    context = context_of(ctx)
    if into:
        context, name, is_new = _elsewhere(context, name, into)
        # There is nothing to confirm for a new stack.
        yes = yes or is_new
    is_remote = name.startswith(SCHEME)
    remote = remote_snapshot(name, from_settings, context.environ) if is_remote else None
    if not yes:
        stack = context.chosen_plan().stack
        context.confirm(f"Replace all data of the stack {stack.name} by the snapshot {name}?")
    with context.locked():
        plan = context.chosen_plan()
        work = Work(plan, context.engine, context.console, wait_timeout)
        result = restore_from(work, name, datetime.now(UTC), remote)
    context.show(result)


def _elsewhere(context: Context, name: str, folder: Path) -> tuple[Context, str, bool]:
    """Return the context of another stack, what it restores, and whether it is new."""
    from mlflow_compose.actions.restore_into import provide_stack, source_of

    plan = context.chosen_plan()
    source = source_of(plan, name)
    env_file, is_new = provide_stack(plan, source, folder, context.console)
    return replace(context, env_file=env_file), source, is_new


@app.command(epilog="Example: mlflow-compose reset --to first-lesson --yes")
def reset(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME", help="Reset to a snapshot instead of to no data."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    wait_timeout: WaitTimeout = 180,
) -> None:
    """Delete all runs, models and artifacts, or go back to a snapshot.

    A snapshot of the stack as it is now is taken first.
    """
    from mlflow_compose.actions import restore as actions

    context = context_of(ctx)
    if not yes:
        stack = context.chosen_plan().stack
        what = f"Replace all data of the stack {stack.name} by the snapshot {to}?"
        context.confirm(what if to else f"Delete all data of the stack {stack.name}?")
    with context.locked():
        plan, now = context.chosen_plan(), datetime.now(UTC)
        work = actions.Work(plan, context.engine, context.console, wait_timeout)
        if to:
            result = actions.restore(work, to, now, saved_as=actions.RESET)
        else:
            result = actions.reset(work, now)
    context.show(result)


def put_back(context: Context, plan: "Plan", wait_timeout: float) -> None:
    """Undo a restore that was interrupted, if there is one."""
    from mlflow_compose.actions.restoring import restoring

    if restoring(plan.paths):
        from mlflow_compose.actions.restore import Work, put_back_interrupted

        put_back_interrupted(Work(plan, context.engine, context.console, wait_timeout))
