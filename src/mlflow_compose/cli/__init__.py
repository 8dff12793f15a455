"""The command line: each command calls one action and shows its result, without logic.

`app.py` defines the application and its global options; the modules that it adds define the
commands. `run.py` is the process around them: global options anywhere on the line, one
envelope with `--json`, exit codes, no traceback for errors that a user can cause.
"""

from mlflow_compose.cli.run import main

__all__ = ["main"]
