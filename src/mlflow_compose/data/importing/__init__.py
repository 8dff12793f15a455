"""Import from a folder, a SQLite file or another tracking server into a running stack.

`source` tells what is meant, `staging` and `server` take all but the artifacts from it, `remote`
merges the rows into the stack's database, where MLflow runs, `artifacts` and `transfer` find and
send the artifacts from this machine, `report` says what was not brought, and `importer` is the
order of it all.
"""

from mlflow_compose.data.importing.importer import Import
from mlflow_compose.data.importing.source import Source, recognise
from mlflow_compose.data.importing.transfer import sender

__all__ = ["Import", "Source", "recognise", "sender"]
