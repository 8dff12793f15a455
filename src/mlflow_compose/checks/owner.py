"""Check that the server that answers is this stack's; what it reports is not proof enough."""

from mlflow_compose.clients import CertificateError, NoAnswer, Tracking
from mlflow_compose.engines import Engine, holder_of
from mlflow_compose.errors import OtherStackError


def check_owner(engine: Engine) -> None:
    """Make sure that what answers on MLFLOW_PORT is this stack's tracking server.

    It must report the stack's id, which others could read and copy, and the engine must confirm
    that the stack listens there. Nothing is written to the server, and no login is sent.

    Raises:
        OtherStackError: It is another stack's server, or something else.
        Unreachable: Nothing answers.
        NoAnswer: It is this stack's server, but does not answer.
        CertificateError: It is this stack's proxy, but its certificate is not accepted.
    """
    stack = engine.stack
    port = next(port.published for _, port in stack.ports if port.name == "mlflow")
    try:
        identity, name = Tracking.of(stack, login=False).stack()
    except (NoAnswer, CertificateError):
        if engine.listens_on(port):
            raise
        identity, name = "", ""
    if identity == stack.identity and engine.listens_on(port):
        return
    raise OtherStackError(
        _sentence(engine, port, identity, name),
        hint="set MLFLOW_PORT in .env to a free port, then mlflow-compose up",
    )


def _sentence(engine: Engine, port: int, identity: str, name: str) -> str:
    """Describe what answers on a port, with its process or container if known."""
    holder = holder_of(engine, port)
    if identity == engine.stack.identity:
        return (
            f"the server on port {port} reports this stack's id, but is not part of it: "
            f"{holder or 'another process'} holds the port"
        )
    if identity:
        about = f"{name}, {holder}" if holder else name
        return f"the server on port {port} belongs to another stack ({about})"
    about = f"; {holder} holds the port" if holder else ""
    return f"the server on port {port} is not this stack's{about}"
