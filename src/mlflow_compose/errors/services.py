"""Errors of engines, of services and of programs beside them."""

from mlflow_compose.errors.base import MlflowComposeError


class EngineError(MlflowComposeError):
    """The engine cannot be used, or a call to it failed."""

    code = "engine"


class BuildError(EngineError):
    """The image could not be built, or the packages could not be installed."""

    code = "build"


class PortTakenError(MlflowComposeError):
    """Another process listens on a port that a service publishes.

    Attributes:
        service: Name of the service, empty if it is not one of the stack's.
    """

    code = "port_taken"

    def __init__(self, message: str, *, service: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.service = service


class OtherStackError(MlflowComposeError):
    """The server that answers on a port of this stack is not this stack's."""

    code = "other_stack"


class ServiceError(MlflowComposeError):
    """A service is not in the state that it should be in; see the subclasses."""

    def __init__(self, message: str, *, service: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.service = service


class ServiceFailedError(ServiceError):
    """A service exited, or its one-shot job failed."""

    code = "service_failed"


class NotReadyError(ServiceError):
    """A service did not become healthy in time."""

    exit_code = 3
    code = "not_ready"


class VerifyError(MlflowComposeError):
    """The stack runs, but does not work."""

    code = "verify"


class BootError(MlflowComposeError):
    """The stack cannot be started at boot."""

    code = "boot"


class DvcError(MlflowComposeError):
    """`dvc` cannot be used, or the DVC project has another remote."""

    code = "dvc"
