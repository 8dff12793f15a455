"""The command line: options in, one action, its result out; no logic.

`app.py` is the command line, and `files.py`, `running.py` and `stores.py` have its commands.
`run.py` is the process around them: global options anywhere on the line, one envelope with
`--json`, exit codes, no traceback for what a user can do.
"""

from mlflow_compose.cli.run import main

__all__ = ["main"]
