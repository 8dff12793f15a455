"""The same stack without containers: three servers from wheels, watched by supervisord.

`engine.py` is the interface to the rest of the project; `availability.py` checks whether this
machine and these settings can be used, `packages.py` installs the packages
(`installer.py` runs uv, `wheels.py` knows those that were brought along), `supervisor.py`
controls supervisord, `processes.py` finds a stack's processes, `orphans.py` ends those that nothing
controls, `folders.py` has the data, `watch.py` waits for services, `log.py` reads logs.
"""

from mlflow_compose.engines.local.engine import LocalEngine

__all__ = ["LocalEngine"]
