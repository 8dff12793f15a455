"""Whether the server that answers is this stack's: what a stranger says proves nothing here."""

from mlflow_compose.clients import Tracking
from mlflow_compose.engines import Engine, holder_of
from mlflow_compose.errors import OtherStackError


def check_owner(engine: Engine) -> None:
    """Make sure that what answers on MLFLOW_PORT is this stack's tracking server.

    Nothing is written there, and no login sent.

    Raises:
        OtherStackError: It is another stack's, or none of ours.
        Unreachable: Nothing answers.
    """
    stack = engine.stack
    identity, name = Tracking(stack.urls["mlflow"]).stack()
    if identity == stack.identity:
        return
    port = next(port.published for _, port in stack.ports if port.name == "mlflow")
    holder = holder_of(engine, port)
    if identity:
        where = f", {holder}" if holder else ""
        message = f"port {port} answers as another stack ({name}{where})"
    else:
        where = f"; {holder} holds it" if holder else ""
        message = f"port {port} does not answer as this stack{where}"
    raise OtherStackError(
        message, hint="set MLFLOW_PORT in .env to a free port, then mlflow-compose up"
    )
