"""The main engine: Docker Compose, called through python-on-whales.

`engine.py` is the interface to the rest of the project; `client.py` calls docker,
`availability.py` finds out why it cannot be used, `images.py` pulls and builds images, `watch.py`
follows `docker compose up`, `inspect.py` reads many containers or volumes at once, `containers.py`
draws conclusions from them, `view.py` decides when to read them again, `failures.py` turns Docker's
failures into errors.
"""

from mlflow_compose.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
