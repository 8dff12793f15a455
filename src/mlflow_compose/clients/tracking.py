"""MLflow's REST API: https://mlflow.org/docs/latest/api_reference/rest-api.html."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response

API = "/api/2.0/mlflow"
SERVER_INFO = "/api/3.0/mlflow/server-info"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# Seconds.
TIMEOUT = 30.0
NOT_FOUND = 404
SHOWN_CHARACTERS = 300


class TrackingError(Exception):
    """The tracking server refused a request.

    Attributes:
        status: HTTP status; 0 where there was no whole answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(Exception):  # noqa: N818 - a state of the world, caught by name
    """Nothing answers at the server's address."""


class Tracking:
    """A tracking server at `url`, for one user or for everybody."""

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        import requests

        self.url = url
        self._session = requests.Session()
        # The environment's proxies and .netrc are for other servers than one on this machine.
        self._session.trust_env = False
        if login is not None:
            # Not as requests' own pair of str, which it would encode as Latin-1.
            token = base64.b64encode(":".join(login).encode()).decode()
            self._session.headers["Authorization"] = f"Basic {token}"

    def health(self) -> str:
        """Return what the server says of itself."""
        return self._request("GET", "/health").text

    def version(self) -> str:
        """Return the server's version."""
        return self._request("GET", "/version").text

    def capabilities(self) -> dict[str, Any]:
        """Return what the server tells its clients that it can do; empty where it tells nothing."""
        try:
            return _json(self._request("GET", SERVER_INFO))
        except TrackingError as error:
            if error.status == NOT_FOUND:
                return {}
            raise

    def get(self, endpoint: str, /, **parameters: object) -> dict[str, Any]:
        """Call a GET endpoint below `/api/2.0/mlflow/`."""
        return _json(self._request("GET", f"{API}/{endpoint}", params=parameters))

    def post(self, endpoint: str, /, **body: object) -> dict[str, Any]:
        """Call a POST endpoint below `/api/2.0/mlflow/`."""
        return _json(self._request("POST", f"{API}/{endpoint}", json=body))

    def put_artifact(self, key: str, content: bytes) -> None:
        """Store an artifact by proxy; `key` is its path in the bucket."""
        self._request("PUT", f"{ARTIFACTS}/{key}", data=content)

    def get_artifact(self, key: str) -> bytes:
        """Fetch an artifact by proxy."""
        return self._request("GET", f"{ARTIFACTS}/{key}").content

    def _request(self, method: str, path: str, **options: Any) -> "Response":  # noqa: ANN401
        import requests

        try:
            response = self._session.request(method, self.url + path, timeout=TIMEOUT, **options)
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            if _was_refused(error):
                raise Unreachable(f"nothing answers at {self.url}") from error
            raise TrackingError(f"{method} {path} was broken off: {error}", status=0) from error
        except requests.RequestException as error:
            raise TrackingError(
                f"{method} {path} got no whole answer: {error}", status=0
            ) from error
        if not response.ok:
            raise TrackingError(
                f"{method} {path} answered {response.status_code}: {_reason(response)}",
                status=response.status_code,
            )
        return response


def _json(response: "Response") -> dict[str, Any]:
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        raise TrackingError(
            f"{response.url} did not answer as MLflow does: {response.text[:80]}",
            status=response.status_code,
        ) from None
    return answer


def _was_refused(error: Exception) -> bool:
    """Tell a connection that nobody took from one that was cut."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _reason(response: "Response") -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    said = body.get("message") if isinstance(body, Mapping) else response.text
    return " ".join(str(said).split())[:SHOWN_CHARACTERS]
