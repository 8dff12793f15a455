"""Stack in, files out: first as a value, the `Tree`, then on disk.

Templates only lay a Stack out; `literal` is the one filter that they have. What is on disk is
replaced as a whole file or not at all, only where it differs, and never where somebody else
wrote it: a manifest remembers what was written.
"""

from mlflow_compose.render.disk import Change, changes, write
from mlflow_compose.render.files import replace_file
from mlflow_compose.render.tree import File, Rendering, Tree, render

__all__ = ["Change", "File", "Rendering", "Tree", "changes", "render", "replace_file", "write"]
