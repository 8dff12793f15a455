"""Where the passphrase of a snapshot's secrets comes from."""

from pathlib import Path
from typing import Annotated

import typer

from mlflow_compose.cli.context import Context
from mlflow_compose.errors import FilesError, UsageError

VARIABLE = "STACK_BACKUP_PASSPHRASE"
QUESTION = "Passphrase of the snapshot's secrets"
PassphraseFile = Annotated[
    Path | None,
    # typer does not check the file: reading it gives better errors.
    typer.Option(
        metavar="FILE",
        help=f"Read the passphrase from a file. Default: {VARIABLE}, or ask for it.",
        readable=False,
    ),
]


def new_passphrase(context: Context, file: Path | None) -> str:
    """Return the passphrase for new secrets; on a terminal, it is typed twice.

    Raises:
        UsageError: There is none, or it is too short.
    """
    from mlflow_compose.actions.private import check_passphrase

    if (given := _given(context, file)) is not None:
        return check_passphrase(given)
    found = check_passphrase(_typed(context, QUESTION))
    if _typed(context, "The same again") != found:
        raise UsageError("the passphrases differ", hint="run the same command again")
    return found


def known_passphrase(context: Context, file: Path | None) -> str:
    """Return the passphrase of secrets that exist.

    Raises:
        UsageError: There is none.
    """
    given = _given(context, file)
    return _typed(context, QUESTION) if given is None else given


def _given(context: Context, file: Path | None) -> str | None:
    if file is None:
        return context.environ.get(VARIABLE)
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise FilesError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FilesError(f"{file} is not UTF-8 text", hint="save it as UTF-8") from None


def _typed(context: Context, question: str) -> str:
    found = context.console.secret(question)
    if found is None:
        raise UsageError(
            "a passphrase is needed, and there is no terminal to type it",
            hint=f"set {VARIABLE}, or add --passphrase-file FILE",
        )
    return found
