"""What `--json` prints under `data`: a frozen dataclass for each command.

Fields have the names and the order of the JSON objects, and a sentence about each. The page
`docs/reference/json.md` is generated from them, and tests compare what commands print with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.payloads.backup import (
    BackedUp,
    BackupChecked,
    BackupScheduled,
    Restored,
    SnapshotList,
    SnapshotState,
    Upgraded,
)
from mlflow_compose.payloads.boot import BootService
from mlflow_compose.payloads.bundle import Bundled, Loaded
from mlflow_compose.payloads.connect import ClientVariables, Opened
from mlflow_compose.payloads.diagrams import Diagram
from mlflow_compose.payloads.dvc import DvcRemote
from mlflow_compose.payloads.examples import ExampleCopied, ExampleListed, ExamplesList
from mlflow_compose.payloads.files import (
    Config,
    Created,
    DeclaredSetting,
    FileChange,
    Rendered,
    Setting,
    SettingsList,
)
from mlflow_compose.payloads.garbage import ExperimentSize, Garbage, GarbageGroup, MissingObject
from mlflow_compose.payloads.key import ABSENT, Absent, as_json, key
from mlflow_compose.payloads.people import (
    Granted,
    UserChanged,
    UserImported,
    UserList,
    UserRemoved,
    UsersImported,
    UserState,
)
from mlflow_compose.payloads.queries import QueryList, QueryResult
from mlflow_compose.payloads.running import (
    Logs,
    Migration,
    ServiceState,
    Started,
    Status,
    Step,
    Stopped,
    Store,
    Stores,
    Verified,
)
from mlflow_compose.payloads.serving import ModelState, NotServed, Served, ServedList
from mlflow_compose.payloads.stores import Compared, CopiedObjects, Imported, Migrated, Pruned


@dataclass(frozen=True)
class Nothing:
    """Printed if a command failed before it had a result."""


NOTHING = Nothing()


@dataclass(frozen=True)
class Help:
    """`--help`."""

    help: str = key("Help text.")


@dataclass(frozen=True)
class Completion:
    """`completion`."""

    script: str = key("Script for the shell.")


@dataclass(frozen=True)
class Version:
    """`--version`."""

    version: str = key("Version of the tool.")


Payload = (
    Nothing
    | Help
    | Version
    | Created
    | Rendered
    | Config
    | SettingsList
    | Status
    | Started
    | Verified
    | Stopped
    | Logs
    | Migrated
    | Pruned
    | Imported
    | BackedUp
    | BackupChecked
    | BackupScheduled
    | SnapshotList
    | Restored
    | Upgraded
    | ClientVariables
    | Opened
    | QueryResult
    | QueryList
    | Completion
    | Diagram
    | DvcRemote
    | ExamplesList
    | ExampleCopied
    | Served
    | ServedList
    | NotServed
    | Garbage
    | BootService
    | UserList
    | UserChanged
    | UserRemoved
    | Granted
    | UsersImported
    | Bundled
    | Loaded
)
# What each command prints, in the order of `--help`.
BY_COMMAND: Mapping[str, tuple[type[Payload], ...]] = {
    "init": (Created,),
    "render": (Rendered,),
    "config": (Config, SettingsList),
    "up": (Started,),
    "down": (Stopped,),
    "status": (Status,),
    "logs": (Logs,),
    "verify": (Verified,),
    "migrate-store": (Migrated, Pruned),
    "import": (Imported,),
    "backup": (BackedUp, BackupChecked, BackupScheduled),
    "snapshots": (SnapshotList,),
    "restore": (Restored,),
    "reset": (Restored,),
    "gc": (Garbage,),
    "upgrade": (Upgraded,),
    "env": (ClientVariables,),
    "open": (Opened,),
    "sql": (QueryResult, QueryList),
    "completion": (Completion,),
    "diagram": (Diagram,),
    "serve": (Served, ServedList, NotServed),
    "service": (BootService,),
    "user": (UserList, UserChanged, UserRemoved, Granted, UsersImported),
    "dvc": (DvcRemote,),
    "example": (ExamplesList, ExampleCopied),
    "bundle": (Bundled,),
    "load": (Loaded,),
}

__all__ = [
    "ABSENT",
    "BY_COMMAND",
    "NOTHING",
    "Absent",
    "BackedUp",
    "BackupChecked",
    "BackupScheduled",
    "BootService",
    "Bundled",
    "ClientVariables",
    "Compared",
    "Completion",
    "Config",
    "CopiedObjects",
    "Created",
    "DeclaredSetting",
    "Diagram",
    "DvcRemote",
    "ExampleCopied",
    "ExampleListed",
    "ExamplesList",
    "ExperimentSize",
    "FileChange",
    "Garbage",
    "GarbageGroup",
    "Granted",
    "Help",
    "Imported",
    "Loaded",
    "Logs",
    "Migrated",
    "Migration",
    "MissingObject",
    "ModelState",
    "NotServed",
    "Nothing",
    "Opened",
    "Payload",
    "Pruned",
    "QueryList",
    "QueryResult",
    "Rendered",
    "Restored",
    "Served",
    "ServedList",
    "ServiceState",
    "Setting",
    "SettingsList",
    "SnapshotList",
    "SnapshotState",
    "Started",
    "Status",
    "Step",
    "Stopped",
    "Store",
    "Stores",
    "Upgraded",
    "UserChanged",
    "UserImported",
    "UserList",
    "UserRemoved",
    "UserState",
    "UsersImported",
    "Verified",
    "Version",
    "as_json",
]
