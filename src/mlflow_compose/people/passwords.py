"""Passwords that people type from paper."""

from collections.abc import Callable, Sequence

from mlflow_compose.errors import UsageError

# MLflow's own rule (`mlflow/utils/validation.py`).
LEAST_CHARACTERS = 12
# Without those that look alike in print: l and 1, o and 0, and so on.
CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789"
GROUPS, GROUP = 4, 4


def new_password(choice: Callable[[Sequence[str]], str]) -> str:
    """Return a random password of 80 bits, such as `h4kp-9wzn-e2rt-mc6b`."""
    groups = ("".join(choice(CHARACTERS) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


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
