"""Set up a DVC project on this machine: its remote, and the key that it uses.

`program` runs the user's own `dvc`; `project` writes the configuration, in the format of `config`.
The bucket and the key are made by `actions`, which talk to the stack.
"""

from mlflow_compose.dvc.program import find_dvc, open_project
from mlflow_compose.dvc.project import REMOTE, Project, Remote

__all__ = ["REMOTE", "Project", "Remote", "find_dvc", "open_project"]
