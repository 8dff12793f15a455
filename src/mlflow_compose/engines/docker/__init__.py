"""Docker Compose, through python-on-whales: the main engine.

`engine.py` is what the rest of the project sees; `client.py` calls docker, `availability.py` says
why it cannot be used, `images.py` gets images, `watch.py` follows `docker compose up`,
`containers.py` reads containers, `failures.py` describes Docker's failures.
"""

from mlflow_compose.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
