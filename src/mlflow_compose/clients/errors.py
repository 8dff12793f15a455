"""Errors of calls to a tracking server."""


class TrackingError(Exception):
    """The tracking server refused a request.

    Attributes:
        status: HTTP status; 0 without a complete response.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class CertificateError(TrackingError):
    """The server's certificate is not accepted, so nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=0)


class Unreachable(Exception):  # noqa: N818 - a state, not a bug
    """Nothing answers at the server's address."""


class NoAnswer(Unreachable):
    """Something listens at the server's address, but does not answer."""
