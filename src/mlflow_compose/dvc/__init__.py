"""Set up a DVC project on this machine: its remote, and the key that it uses.

`project` writes the configuration, and `config` has the format of its files; `program` and `git`
run the user's own `dvc` and Git. The bucket and the key are made by `actions`, which talk to the
stack.
"""

from mlflow_compose.dvc.program import find_dvc, open_project
from mlflow_compose.dvc.project import REMOTE, Project, Remote

__all__ = ["REMOTE", "Project", "Remote", "find_dvc", "open_project"]
