"""What a client must set to use a stack, right for where it runs, in the syntax that it reads.

`variables` decides names and values from the `Stack` alone; `formats` writes them for a shell or a
language; `script` writes a program that another machine can check its connection with.
"""

from mlflow_compose.connect.formats import FORMATS, written
from mlflow_compose.connect.script import check_program, check_script
from mlflow_compose.connect.variables import PLACES, ClientEnvironment, Variable, client_environment

__all__ = [
    "FORMATS",
    "PLACES",
    "ClientEnvironment",
    "Variable",
    "check_program",
    "check_script",
    "client_environment",
    "written",
]
