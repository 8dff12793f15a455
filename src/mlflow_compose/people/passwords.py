"""Passwords that people type from paper."""

from mlflow_compose.errors import UsageError
from mlflow_compose.settings.typed import new_password

__all__ = ["LEAST_CHARACTERS", "check_password", "new_password"]

# MLflow's own rule (`mlflow/utils/validation.py`).
LEAST_CHARACTERS = 12


def check_password(password: str) -> str:
    """Return a password that MLflow and its clients accept.

    Raises:
        UsageError: They do not.
    """
    if len(password) < LEAST_CHARACTERS:
        raise UsageError(f"a password must have at least {LEAST_CHARACTERS} characters")
    if not (password.isascii() and password.isprintable()):
        raise UsageError(
            "a password must be of printable ASCII characters: MLflow's clients fail with others"
        )
    return password
