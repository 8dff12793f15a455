"""`.env` and the environment in, one validated `Settings` out.

Everything that a stack can be told is declared once, in `model.py`, with a sentence; the
example file, the reference page, `config` and the error texts all come from there. Every
problem of an env file is found before the first one is reported.
"""

from mlflow_compose.settings.example import example_text, new_env_text, reference_page
from mlflow_compose.settings.load import Loaded, load
from mlflow_compose.settings.model import Settings, declared
from mlflow_compose.settings.translate import Translation, translate

__all__ = [
    "Loaded",
    "Settings",
    "Translation",
    "declared",
    "example_text",
    "load",
    "new_env_text",
    "reference_page",
    "translate",
]
