"""Ask MLflow for the names of its tables."""

import re
from pathlib import Path

from mlflow_compose.engines.inside.answer import Request

CREATE = re.compile(r"create_table\(\s*[\"'](\w+)")


def main(request: Request) -> list[str]:
    """Return the tables of this MLflow version, those of login included.

    Of login also those of older versions: MLflow no longer uses them, but never deletes them.
    """
    del request
    import mlflow.store.model_registry.dbmodels.models
    import mlflow.store.tracking.dbmodels.models  # noqa: F401 - declares tables
    from mlflow.server.auth.db import models as login
    from mlflow.store.db.base_sql_model import Base

    migrations = Path(login.__file__).with_name("migrations") / "versions"
    created = {
        table
        for file in migrations.glob("*.py")
        for table in CREATE.findall(file.read_text(encoding="utf-8"))
    }
    return sorted({*Base.metadata.tables, *login.Base.metadata.tables, *created})
