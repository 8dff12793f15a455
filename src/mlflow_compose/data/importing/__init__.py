"""Import from a folder, a SQLite file or another tracking server into a running stack.

`source` recognises the source, `staging` and `server` read everything but its artifacts, `remote`
merges the rows into the stack's database where MLflow runs, `artifacts` and `transfer` find and
send the artifacts from this machine, `report` describes what was not imported, and `importer`
runs these steps.
"""

from mlflow_compose.data.importing.importer import Import
from mlflow_compose.data.importing.source import Source, recognise
from mlflow_compose.data.importing.transfer import sender

__all__ = ["Import", "Source", "recognise", "sender"]
