"""Check that JupyterLab runs notebooks, and only for those who know the token."""

from collections.abc import Callable
from functools import partial

from mlflow_compose.checks.proof import Mismatch
from mlflow_compose.clients import Jupyter, JupyterError, Unreachable, trusted
from mlflow_compose.engines import Engine

NAME = "jupyter"
REFUSED = frozenset({401, 403})


def notebook_steps(engine: Engine) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return the step that checks JupyterLab, if the stack has it."""
    return ((NAME, partial(check_notebooks, engine)),) if engine.stack.has(NAME) else ()


def check_notebooks(engine: Engine) -> str:
    """Load the page, be refused without the token, and start a kernel.

    Raises:
        Mismatch: Something else happened; it names the cause.
    """
    stack = engine.stack
    port = next(port.published for _, port in stack.ports if port.name == NAME)
    if not engine.listens_on(port):
        # The token is only sent to this stack.
        raise Mismatch(f"port {port} is not the stack's", "jupyter_down")
    try:
        return _check(stack.urls[NAME], stack.jupyter_token, trusted(stack))
    except Unreachable as error:
        raise Mismatch(str(error), "jupyter_down") from None
    except JupyterError as error:
        cause = "jupyter_token" if error.status in REFUSED else "jupyter_error"
        raise Mismatch(str(error), cause) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Mismatch(f"this is not an answer of JupyterLab: {error!r}", "jupyter_error") from None


def _check(url: str, token: str, verify: bool | str) -> str:  # noqa: FBT001 - as in requests
    if not _is_refused(Jupyter(url, verify=verify)):
        raise Mismatch("notebooks are listed without a token", "jupyter_open")
    client = Jupyter(url, token, verify=verify)
    if not client.can_save():
        raise Mismatch("the folder is not writable for it", "jupyter_read_only")
    client.page()
    with client.kernel() as kernel:
        client.await_kernel(kernel)
    return "page and kernel with the token, refused without"


def _is_refused(stranger: Jupyter) -> bool:
    try:
        stranger.can_save()
    except JupyterError as error:
        if error.status not in REFUSED:
            raise
        return True
    return False
