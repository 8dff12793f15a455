"""The life of a model: what it passes through, and where this stack keeps each part."""

from mlflow_compose.diagrams.mermaid import Arrow, Chart, Node, Shape
from mlflow_compose.stack import Stack

DATA, TRAINING, TRACKING, REGISTRY, SERVING, MONITORING = (
    "data",
    "training",
    "tracking",
    "registry",
    "serving",
    "monitoring",
)


def life(stack: Stack) -> Chart:
    """Return the way of a model from data to monitoring, and back."""
    runs, artifacts = stack.stores.runs.what, stack.stores.artifacts.what
    kept = (f"runs in {runs}", f"files in {artifacts}")
    nodes = (
        Node(DATA, ("Data", "versions in Git and DVC"), Shape.STORE),
        Node(TRAINING, ("Training", "a script or a notebook")),
        Node(TRACKING, ("Tracking", stack.urls["mlflow"], *kept)),
        Node(REGISTRY, ("Registry", f"versions and aliases in {runs}")),
        Node(SERVING, ("Serving", "loads a version by its alias")),
        Node(MONITORING, ("Monitoring", "metrics and traces of predictions")),
    )
    arrows = (
        Arrow(DATA, TRAINING, "inputs"),
        Arrow(TRAINING, TRACKING, "params, metrics, model"),
        Arrow(TRACKING, REGISTRY, "the best run's model"),
        Arrow(REGISTRY, SERVING, "models:/name@alias"),
        Arrow(SERVING, MONITORING, "predictions"),
        Arrow(MONITORING, TRACKING, "logged as runs"),
        Arrow(MONITORING, DATA, "new data to learn from"),
    )
    return Chart("", nodes, arrows)
