"""Import and migrate data: one package for each.

`importing/` brings what other MLflow stores hold into a stack, `migration/` moves a stack from one
store to another. What is in `inside/` is sent to where MLflow runs: it may use what MLflow's image
has, and nothing of ours.
"""

from mlflow_compose.data import importing, migration

__all__ = ["importing", "migration"]
