"""The same stack without containers: three servers from wheels, watched by supervisord.

`engine.py` is what the rest of the project sees; `availability.py` says why this machine or
these settings cannot be used, `packages.py` installs what runs, `supervisor.py` talks to
supervisord, `processes.py` finds what was left behind, `watch.py` waits, `log.py` reads logs.
"""

from mlflow_compose.engines.local.engine import LocalEngine

__all__ = ["LocalEngine"]
