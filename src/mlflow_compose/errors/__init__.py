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

from mlflow_compose.errors.base import (
    BusyError,
    Cancelled,
    EnvFileError,
    FilesChangedError,
    FilesError,
    HungUp,
    MlflowComposeError,
    OutputError,
    SettingsError,
    TemplatesMissingError,
    Terminated,
    UsageError,
)
from mlflow_compose.errors.data import (
    BundleError,
    ClassError,
    DataElsewhereError,
    IncompleteError,
    QueryError,
    RosterError,
    SnapshotError,
    SourceError,
    StoreError,
    UpgradeError,
    UserError,
)
from mlflow_compose.errors.services import (
    BootError,
    BuildError,
    DvcError,
    EngineError,
    NotReadyError,
    OtherStackError,
    PortTakenError,
    ServiceError,
    ServiceFailedError,
    VerifyError,
)

__all__ = [
    "BootError",
    "BuildError",
    "BundleError",
    "BusyError",
    "Cancelled",
    "ClassError",
    "DataElsewhereError",
    "DvcError",
    "EngineError",
    "EnvFileError",
    "FilesChangedError",
    "FilesError",
    "HungUp",
    "IncompleteError",
    "MlflowComposeError",
    "NotReadyError",
    "OtherStackError",
    "OutputError",
    "PortTakenError",
    "QueryError",
    "RosterError",
    "ServiceError",
    "ServiceFailedError",
    "SettingsError",
    "SnapshotError",
    "SourceError",
    "StoreError",
    "TemplatesMissingError",
    "Terminated",
    "UpgradeError",
    "UsageError",
    "UserError",
    "VerifyError",
]
