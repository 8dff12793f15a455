"""The settings of JupyterLab."""

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import (
    Flag,
    Generated,
    LoginPassword,
    Memory,
    Port,
    Requirements,
    setting,
)
from mlflow_compose.settings.sections import JUPYTER, MEMORY


class NotebookSettings(BaseSettings):
    """Whether and how the stack runs JupyterLab."""

    jupyter: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Run JupyterLab on the notebooks in the folder notebooks, next to this file.",
        section=JUPYTER,
    )
    jupyter_port: Port = setting(8888, "Port of JupyterLab on this machine.", section=JUPYTER)
    jupyter_token: LoginPassword = setting(
        Generated(32, required=False),
        "Token that JupyterLab asks for, at least 16 characters.",
        section=JUPYTER,
    )
    jupyter_packages: Requirements = setting(
        "",
        "Packages for notebooks, each with a version, such as: seaborn==0.13.2 xgboost>=3,<4.",
        section=JUPYTER,
    )
    jupyter_memory: Memory = setting("", "Memory limit of jupyter.", section=MEMORY)
