"""How clients on this machine verify a stack's proxy."""

from pathlib import Path

from mlflow_compose.stack import Stack


def trusted(stack: Stack) -> bool | str:
    """Return the file of CA certificates, or True for the system's.

    Before the first start, there is no file yet, and nothing to verify.
    """
    return stack.tls_ca if stack.tls_ca and Path(stack.tls_ca).is_file() else True
