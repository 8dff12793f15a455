"""Diagrams of a stack and of the life of a model, as Mermaid text.

`topology` and `life` decide what is shown, from the `Stack` alone, as a `Chart`; `mermaid` writes
it. Secrets appear by what they are for, never with their values.
"""

from collections.abc import Callable, Mapping

from mlflow_compose.diagrams.life import life
from mlflow_compose.diagrams.mermaid import Chart, mermaid
from mlflow_compose.diagrams.topology import topology
from mlflow_compose.stack import Stack

DIAGRAMS: Mapping[str, Callable[[Stack], Chart]] = {"stack": topology, "life": life}

__all__ = ["DIAGRAMS", "Chart", "life", "mermaid", "topology"]
