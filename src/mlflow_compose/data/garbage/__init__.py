"""Find data that nothing uses any more, and free it.

`collector` runs the modules in `data/inside` where MLflow runs: `layout` knows MLflow's keys,
`owners` reads the database, `fates` decides, `survey` counts, and `freeing` deletes.
"""

from mlflow_compose.data.garbage.collector import Limits, Swept, sweep

__all__ = ["Limits", "Swept", "sweep"]
