"""What `--json` prints under `data`: a frozen dataclass for each command.

Fields have the names and the order of the JSON objects, and a sentence about each. The page
`docs/reference/json.md` is generated from them, and tests compare what commands print with them.
"""

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
from mlflow_compose.payloads.capacity import CapacityFound, UsersPlanned
from mlflow_compose.payloads.classroom import (
    ClassCollected,
    ClassSeat,
    ClassSeeded,
    ClassStarted,
    ClassStatus,
    ClassStopped,
    SeatFound,
    SeatsRemoved,
)
from mlflow_compose.payloads.classroom_handouts import HandedOut, SeatHandout
from mlflow_compose.payloads.commands import BY_COMMAND, Payload
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
from mlflow_compose.payloads.general import NOTHING, Completion, Help, Nothing, Version
from mlflow_compose.payloads.key import ABSENT, Absent, as_json
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
from mlflow_compose.payloads.workspaces import (
    WorkspaceChanged,
    WorkspaceGranted,
    WorkspaceList,
    WorkspaceState,
)

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
    "CapacityFound",
    "ClassCollected",
    "ClassSeat",
    "ClassSeeded",
    "ClassStarted",
    "ClassStatus",
    "ClassStopped",
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
    "HandedOut",
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
    "SeatFound",
    "SeatHandout",
    "SeatsRemoved",
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
    "UsersPlanned",
    "Verified",
    "Version",
    "WorkspaceChanged",
    "WorkspaceGranted",
    "WorkspaceList",
    "WorkspaceState",
    "as_json",
]
