"""Stack in, files out: first as a value, the `Tree`, then on disk.

Templates only format a Stack; filters only quote. Files on disk are replaced atomically, only if
they differ, and never if they were edited by hand: a manifest has the digests of the written files.
"""

from mlflow_compose.render.disk import Change, changes, write
from mlflow_compose.render.files import replace_file
from mlflow_compose.render.identity_file import identity_in
from mlflow_compose.render.page import page
from mlflow_compose.render.private import remove_private, write_private
from mlflow_compose.render.tree import File, Rendering, Tree, render

__all__ = [
    "Change",
    "File",
    "Rendering",
    "Tree",
    "changes",
    "identity_in",
    "page",
    "remove_private",
    "render",
    "replace_file",
    "write",
    "write_private",
]
