"""`.env` and the environment in, one validated `Settings` out.

Every setting is declared once, in `model.py` or `stores.py`, with a description; the example file,
the reference page, `config` and the error messages all derive from there. One error reports all
problems of an env file.
"""

from mlflow_compose.settings.example import example_text, new_env_text, reference_page
from mlflow_compose.settings.load import Loaded, load
from mlflow_compose.settings.model import Settings, belongs_to_store, changed_names, declared
from mlflow_compose.settings.public import public_values, without_secrets
from mlflow_compose.settings.translate import Translation, translate

__all__ = [
    "Loaded",
    "Settings",
    "Translation",
    "belongs_to_store",
    "changed_names",
    "declared",
    "example_text",
    "load",
    "new_env_text",
    "public_values",
    "reference_page",
    "translate",
    "without_secrets",
]
