"""Errors that a user or the environment can cause.

```
MlflowComposeError           exit code 1, code "failed"
├── UsageError               2  the command line asks for something that cannot be done
├── SettingsError            2  one or more settings are wrong
├── EnvFileError             2  the env file is missing, unreadable or not in its format
├── FilesChangedError        1  rendered files were edited by hand, or are not from this tool
├── BusyError                1  another command is working on the stack
├── FilesError               1  files of the stack cannot be read or written
├── TemplatesMissingError    1  the installation is incomplete
├── EngineError              1  the engine cannot be used, or a call to it failed
│   └── BuildError           1  the image could not be built, or packages not installed
├── PortTakenError           1  another process listens on a published port
├── OtherStackError          1  the server on a port is not this stack's
├── DataElsewhereError       1  the settings would hide data that the stack has
├── OutputError              1  the result cannot be written to standard output
├── Cancelled              130  interrupted by the user
│   ├── Terminated         143  terminated by SIGTERM
│   └── HungUp             129  the terminal was closed (SIGHUP)
├── BootError                1  the stack cannot be started at boot
├── DvcError                 1  dvc cannot be used, or the project has another remote
├── StoreError               1  an external database or S3 server cannot be used
├── SourceError              1  the source of an import cannot be read
├── IncompleteError          1  an import is not complete
├── QueryError               1  the database refuses a query
├── SnapshotError            1  a snapshot is missing or damaged, or cannot be taken or restored
├── BundleError              1  a bundle is damaged, does not fit, or cannot be made
├── UpgradeError             1  an upgrade is needed, or failed
├── RosterError              1  a roster cannot be read
├── ClassError               1  a class cannot be set up or changed
├── UserError                1  MLflow refuses to add, change or remove a user
├── VerifyError              1  the stack runs, but does not work
└── ServiceError             1  a service is not in the state that it should be in
    ├── ServiceFailedError   1  it exited, or its one-shot job failed
    └── NotReadyError        3  it did not become healthy in time
```

None of these is for a bug, which keeps its traceback.
"""

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


class FilesError(MlflowComposeError):
    """Files of the stack cannot be read or written."""

    code = "files"


class BusyError(MlflowComposeError):
    """Another command is working on the stack."""

    code = "busy"


class TemplatesMissingError(MlflowComposeError):
    """The installation is incomplete."""

    code = "templates_missing"


class EngineError(MlflowComposeError):
    """The engine cannot be used, or a call to it failed."""

    code = "engine"


class BuildError(EngineError):
    """The image could not be built, or the packages could not be installed."""

    code = "build"


class PortTakenError(MlflowComposeError):
    """Another process listens on a port that the stack publishes."""

    code = "port_taken"


class OtherStackError(MlflowComposeError):
    """The server that answers on a port of this stack is not this stack's."""

    code = "other_stack"


class DataElsewhereError(MlflowComposeError):
    """The settings would hide data that the stack has in other stores."""

    code = "data_elsewhere"


class ServiceError(MlflowComposeError):
    """A service is not in the state that it should be in; see the subclasses."""

    def __init__(self, message: str, *, service: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.service = service


class ServiceFailedError(ServiceError):
    """A service exited, or its one-shot job failed."""

    code = "service_failed"


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


class RosterError(MlflowComposeError):
    """A roster cannot be read."""

    code = "roster"


class ClassError(MlflowComposeError):
    """A class cannot be set up or changed."""

    code = "class"


class UserError(MlflowComposeError):
    """MLflow refuses to add, change or remove a user."""

    code = "user"


class VerifyError(MlflowComposeError):
    """The stack runs, but does not work."""

    code = "verify"


class BootError(MlflowComposeError):
    """The stack cannot be started at boot."""

    code = "boot"


class DvcError(MlflowComposeError):
    """`dvc` cannot be used, or the DVC project has another remote."""

    code = "dvc"


class StoreError(MlflowComposeError):
    """An external database or S3 server cannot be used."""

    code = "store"


class SourceError(MlflowComposeError):
    """The source of an import does not exist, is not an MLflow store, or denies access."""

    code = "source"


class IncompleteError(MlflowComposeError):
    """An import is not complete."""

    code = "incomplete"


class QueryError(MlflowComposeError):
    """The database refuses a query, or is not reachable."""

    code = "query"


class SnapshotError(MlflowComposeError):
    """A snapshot is missing or damaged, or cannot be taken or restored."""

    code = "snapshot"


class BundleError(MlflowComposeError):
    """A bundle is damaged, does not fit this machine, or cannot be made."""

    code = "bundle"


class UpgradeError(MlflowComposeError):
    """The data is of an older version than the servers, or an upgrade of it failed."""

    code = "upgrade"


class NotReadyError(ServiceError):
    """A service did not become healthy in time."""

    exit_code = 3
    code = "not_ready"
