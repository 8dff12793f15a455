"""Set up a DVC project on this machine: its remote, and the key that it uses.

`project` runs the user's own `dvc`, and writes the configuration; `config` has the format of its
files. The bucket and the key are made by `actions`, which talk to the stack.
"""

from mlflow_compose.dvc.project import REMOTE, Project, Remote, find_dvc, open_project

__all__ = ["REMOTE", "Project", "Remote", "find_dvc", "open_project"]
