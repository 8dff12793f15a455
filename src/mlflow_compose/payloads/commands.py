"""What each command prints."""

from collections.abc import Mapping

from mlflow_compose.payloads import (
    backup,
    boot,
    bundle,
    capacity,
    classroom,
    classroom_handouts,
    connect,
    diagrams,
    dvc,
    examples,
    files,
    garbage,
    general,
    people,
    queries,
    running,
    serving,
    stores,
    workspaces,
)

Payload = (
    general.Nothing
    | general.Help
    | general.Version
    | files.Created
    | files.Rendered
    | files.Config
    | files.SettingsList
    | running.Status
    | running.Started
    | running.Verified
    | running.Stopped
    | running.Logs
    | stores.Migrated
    | stores.Pruned
    | stores.Imported
    | backup.BackedUp
    | backup.BackupChecked
    | backup.BackupScheduled
    | backup.SnapshotList
    | backup.Restored
    | backup.Upgraded
    | connect.ClientVariables
    | connect.Opened
    | queries.QueryResult
    | queries.QueryList
    | general.Completion
    | diagrams.Diagram
    | dvc.DvcRemote
    | examples.ExamplesList
    | examples.ExampleCopied
    | serving.Served
    | serving.ServedList
    | serving.NotServed
    | garbage.Garbage
    | boot.BootService
    | people.UserList
    | people.UserChanged
    | people.UserRemoved
    | people.Granted
    | people.UsersImported
    | classroom.ClassStarted
    | classroom.ClassCollected
    | classroom.ClassSeeded
    | classroom.ClassStatus
    | classroom.SeatsRemoved
    | classroom.ClassStopped
    | classroom_handouts.HandedOut
    | capacity.CapacityFound
    | capacity.UsersPlanned
    | workspaces.WorkspaceList
    | workspaces.WorkspaceChanged
    | workspaces.WorkspaceGranted
    | bundle.Bundled
    | bundle.Loaded
)
# What each command prints, in the order of `--help`.
BY_COMMAND: Mapping[str, tuple[type[Payload], ...]] = {
    "init": (files.Created,),
    "render": (files.Rendered,),
    "config": (files.Config, files.SettingsList),
    "up": (running.Started,),
    "down": (running.Stopped,),
    "status": (running.Status,),
    "logs": (running.Logs,),
    "verify": (running.Verified,),
    "migrate-store": (stores.Migrated, stores.Pruned),
    "import": (stores.Imported,),
    "backup": (backup.BackedUp, backup.BackupChecked, backup.BackupScheduled),
    "snapshots": (backup.SnapshotList,),
    "restore": (backup.Restored,),
    "reset": (backup.Restored,),
    "gc": (garbage.Garbage,),
    "upgrade": (backup.Upgraded,),
    "env": (connect.ClientVariables,),
    "open": (connect.Opened,),
    "sql": (queries.QueryResult, queries.QueryList),
    "completion": (general.Completion,),
    "diagram": (diagrams.Diagram,),
    "serve": (serving.Served, serving.ServedList, serving.NotServed),
    "service": (boot.BootService,),
    "user": (
        people.UserList,
        people.UserChanged,
        people.UserRemoved,
        people.Granted,
        people.UsersImported,
    ),
    "class": (
        classroom.ClassStarted,
        classroom.ClassStatus,
        classroom.ClassCollected,
        classroom.ClassSeeded,
        classroom.SeatsRemoved,
        classroom.ClassStopped,
        classroom_handouts.HandedOut,
    ),
    "plan": (capacity.CapacityFound, capacity.UsersPlanned),
    "workspace": (
        workspaces.WorkspaceList,
        workspaces.WorkspaceChanged,
        workspaces.WorkspaceGranted,
    ),
    "dvc": (dvc.DvcRemote,),
    "example": (examples.ExamplesList, examples.ExampleCopied),
    "bundle": (bundle.Bundled,),
    "load": (bundle.Loaded,),
}
