"""Ask MLflow for the names of its tables."""

from mlflow_compose.engines.inside.answer import Request


def main(request: Request) -> list[str]:
    """Return the tables of this MLflow version, those of login included."""
    del request
    import mlflow.store.model_registry.dbmodels.models
    import mlflow.store.tracking.dbmodels.models  # noqa: F401 - declares tables
    from mlflow.server.auth.db.models import Base as Login
    from mlflow.store.db.base_sql_model import Base

    return sorted({*Base.metadata.tables, *Login.metadata.tables})
