"""What all errors have in common, and errors of the command line, of files and of signals."""

from typing import ClassVar


class MlflowComposeError(Exception):
    """What is wrong, as one sentence, and a hint with the next command."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MlflowComposeError):
    """The command line asks for something that cannot be done."""

    exit_code = 2
    code = "usage"


class SettingsError(MlflowComposeError):
    """One or more settings are wrong; the message lists every one of them."""

    exit_code = 2
    code = "settings"


class EnvFileError(MlflowComposeError):
    """The env file is missing, unreadable or not in its format."""

    exit_code = 2
    code = "env_file"


class FilesChangedError(MlflowComposeError):
    """Rendered files were edited by hand, or other files are in their place."""

    code = "files_changed"


class BusyError(MlflowComposeError):
    """Another command is working on the stack."""

    code = "busy"


class FilesError(MlflowComposeError):
    """Files of the stack cannot be read or written."""

    code = "files"


class TemplatesMissingError(MlflowComposeError):
    """The installation is incomplete."""

    code = "templates_missing"


class OutputError(MlflowComposeError):
    """The result cannot be written to standard output."""

    code = "output"


class Cancelled(MlflowComposeError):  # noqa: N818 - not a fault
    """Interrupted by the user, or not confirmed."""

    exit_code = 130
    code = "interrupted"


class Terminated(Cancelled):
    """Terminated by SIGTERM."""

    exit_code = 143
    code = "terminated"


class HungUp(Cancelled):
    """The terminal was closed (SIGHUP)."""

    exit_code = 129
    code = "hung_up"
