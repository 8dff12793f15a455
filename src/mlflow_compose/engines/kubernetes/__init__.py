"""The engine for a Kubernetes cluster, which helm and kubectl do the work for.

`engine.py` is the interface to the rest of the project; `contexts.py` finds the cluster,
`cluster.py` calls the two programs, `availability.py` finds out why they cannot be used,
`ownership.py` keeps away from what is not the stack's, `images.py` brings the built image into the
cluster, `install.py` and `watch.py` install the chart, `resources.py` and `troubles.py` draw
conclusions from what the cluster reports, `one_off.py` and `pods.py` run commands, `forward.py`
makes ports reachable on this machine, and `unsupported.py` lists what is not possible.
"""

from mlflow_compose.engines.kubernetes.engine import KubernetesEngine

__all__ = ["KubernetesEngine"]
