"""MLflow's REST API: https://mlflow.org/docs/latest/api_reference/rest-api.html."""

import base64
import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlflow_compose.clients.answers import reason_of, tls_reason, was_refused, was_silent
from mlflow_compose.clients.errors import CertificateError, NoAnswer, TrackingError, Unreachable
from mlflow_compose.clients.trust import trusted
from mlflow_compose.identity import HEADER
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

API = "/api/2.0/mlflow"
SERVER_INFO = "/api/3.0/mlflow/server-info"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# Seconds. A server only responds after it has stored an artifact, which takes long for large ones.
TIMEOUT, TIMEOUT_OF_FILES = 30.0, 600.0
CHUNK = 1024 * 1024
# https://mlflow.org/docs/latest/self-hosting/workspaces/; without it, a request is for the default.
WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
# Value of HEADER: the stack's id and project name.
STACK = re.compile(r"([0-9a-f]{16})/([a-z0-9][a-z0-9_-]*)")
NO_CONTENT, NOT_FOUND = 204, 404
# Of a proxy that does not reach the server, or none of several.
NOT_REACHED = (502, 503)
# What the proxy calls itself in answers of its own.
PROXY = "Caddy"


class Tracking:
    """A client of the tracking server at `url`, with or without a login."""

    def __init__(
        self,
        url: str,
        login: tuple[str, str] | None = None,
        *,
        token: str = "",
        elsewhere: bool = False,
        verify: bool | str = True,
    ) -> None:
        """Set the URL and the credentials.

        Args:
            url: URL of the server.
            login: Name and password.
            token: Bearer token, instead of a login.
            elsewhere: Whether it is on another machine, so that the environment's proxies,
                certificates and .netrc apply.
            verify: Whether to verify its certificate, or a file of CA certificates.
        """
        import requests

        self.url = url
        self.workspace = ""
        self._session = requests.Session()
        self._session.trust_env = elsewhere
        self._session.verify = verify
        if login is not None:
            # Not as requests' auth tuple, which it would encode as Latin-1.
            pair = base64.b64encode(":".join(login).encode()).decode()
            self._session.headers["Authorization"] = f"Basic {pair}"
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        if login is not None or token:
            # Otherwise .netrc, if it is read, would take precedence over the header.
            self._session.auth = lambda request: request

    @classmethod
    def of(cls, stack: Stack, *, login: bool = True) -> "Tracking":
        """Return a client of a stack's tracking server, with or without the admin's login."""
        return cls(stack.urls["mlflow"], stack.login if login else None, verify=trusted(stack))

    def within(self, workspace: str) -> "Tracking":
        """Return a client with the same login whose requests are for a workspace."""
        other = copy.copy(self)
        other.workspace = workspace
        return other

    def stack(self) -> tuple[str, str]:
        """Return id and name of the stack that answers, both empty if it is not a stack.

        Sends no login, and reads only the headers: an unknown server's response may be endless.

        Raises:
            Unreachable: Nothing listens there, or only the stack's proxy.
            NoAnswer: Something listens, but does not respond.
            CertificateError: Its certificate is not accepted.
        """
        import requests

        try:
            # None removes the session's own header.
            response = self._session.get(
                f"{self.url}/health",
                headers={"Authorization": None},
                auth=_no_login,
                allow_redirects=False,
                stream=True,
                timeout=TIMEOUT,
            )
            response.close()
        except requests.RequestException as error:
            if isinstance(error, requests.exceptions.SSLError):
                raise CertificateError(
                    f"{self.url} is not accepted: {tls_reason(error)}"
                ) from error
            if isinstance(error, requests.ConnectionError) and was_refused(error):
                raise Unreachable(f"nothing answers at {self.url}") from error
            if was_silent(error):
                raise NoAnswer(f"{self.url} accepts connections but does not answer") from error
            # Something responds, but it is not MLflow.
            return "", ""
        if response.status_code in NOT_REACHED and response.headers.get("Server") == PROXY:
            raise Unreachable(f"the proxy at {self.url} does not reach MLflow")
        match = STACK.fullmatch(response.headers.get(HEADER, ""))
        return (match[1], match[2]) if match else ("", "")

    def health(self) -> str:
        """Return what the server reports about itself."""
        return self._request("GET", "/health").text

    def version(self) -> str:
        """Return the server's version."""
        return self._request("GET", "/version").text

    def capabilities(self) -> dict[str, Any]:
        """Return the capabilities that the server reports to its clients, if any."""
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

    def call(self, method: str, path: str, /, **body: object) -> dict[str, Any]:
        """Call an endpoint by its whole path."""
        return _json(self._request(method, path, json=body))

    def put_artifact(self, key: str, content: bytes) -> None:
        """Store an artifact via the proxy; `key` is its path in the bucket."""
        self._request("PUT", f"{ARTIFACTS}/{quote(key)}", data=content)

    def put_file(self, key: str, path: Path) -> None:
        """Store a file as an artifact via the proxy, streaming it."""
        with path.open("rb") as file:
            # For an empty file, requests would use chunked encoding.
            content = file if path.stat().st_size else b""
            self._request(
                "PUT", f"{ARTIFACTS}/{quote(key)}", data=content, timeout=TIMEOUT_OF_FILES
            )

    def get_artifact(self, key: str) -> bytes:
        """Fetch an artifact via the proxy."""
        return self._request("GET", f"{ARTIFACTS}/{quote(key)}").content

    def download(self, path: str, target: Path, /, **parameters: object) -> None:
        """Download a path of the server into a file."""
        import requests

        with self._request(
            "GET", path, params=parameters, stream=True, timeout=TIMEOUT_OF_FILES
        ) as response:
            try:
                with target.open("wb") as file:
                    for chunk in response.iter_content(CHUNK):
                        file.write(chunk)
            except requests.RequestException as error:
                raise TrackingError(f"GET {path} was interrupted: {error}", status=0) from error

    def _request(self, method: str, path: str, **options: Any) -> "Response":  # noqa: ANN401
        import requests

        options.setdefault("timeout", TIMEOUT)
        if self.workspace:
            options["headers"] = {WORKSPACE_HEADER: self.workspace}
        try:
            response = self._session.request(method, self.url + path, **options)
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            if was_refused(error):
                raise Unreachable(f"nothing answers at {self.url}") from error
            raise TrackingError(f"{method} {path} was interrupted: {error}", status=0) from error
        except requests.RequestException as error:
            raise TrackingError(
                f"{method} {path} got an incomplete response: {error}", status=0
            ) from error
        except OSError as error:
            # requests raises this if the environment names a missing certificate file.
            raise TrackingError(f"{method} {path} could not be sent: {error}", status=0) from error
        if not response.ok:
            raise TrackingError(
                f"{method} {path} answered {response.status_code}: {reason_of(response)}",
                status=response.status_code,
            )
        return response


def _no_login(request: "PreparedRequest") -> "PreparedRequest":
    return request


def _json(response: "Response") -> dict[str, Any]:
    if response.status_code == NO_CONTENT:
        return {}
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        raise TrackingError(
            f"{response.url} is not a response of MLflow: {response.text[:80]}",
            status=response.status_code,
        ) from None
    return answer
