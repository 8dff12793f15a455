"""JupyterLab's REST API: https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow_compose.clients.errors import NoAnswer, Unreachable

if TYPE_CHECKING:
    from requests import Response

PAGE, FILES, KERNELS = "lab", "api/contents", "api/kernels"
IDLE, REDIRECTED = "idle", 300
# https://datatracker.ietf.org/doc/html/rfc6455#section-4.1; nothing is sent, so any key will do.
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "bm90aGluZyBpcyBzZW50IQ==",
    "Sec-WebSocket-Version": "13",
}
# Seconds; a kernel imports IPython first.
TIMEOUT, STARTS_WITHIN, POLL_EVERY = 30.0, 60.0, 0.1


class JupyterError(Exception):
    """JupyterLab refused a request.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Jupyter:
    """A client of the JupyterLab at `url`; without a token, it is a stranger."""

    def __init__(self, url: str, token: str = "", *, verify: bool | str = True) -> None:
        import requests

        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        if token:
            self._session.headers["Authorization"] = f"token {token}"

    def page(self) -> None:
        """Load the page."""
        self._call("GET", PAGE)

    def can_save(self) -> bool:
        """Tell whether JupyterLab can write to the folder of notebooks; strangers must not ask."""
        return bool(self._call("GET", FILES).json()["writable"])

    @contextmanager
    def kernel(self) -> Iterator[str]:
        """Provide the id of a new kernel, which is shut down at the end."""
        found = str(self._call("POST", KERNELS).json()["id"])
        try:
            yield found
        finally:
            self._call("DELETE", f"{KERNELS}/{found}")

    def await_kernel(self, kernel: str) -> None:
        """Wait until a kernel is ready to run code."""
        deadline = time.monotonic() + STARTS_WITHIN
        # Once a browser opens this, JupyterLab asks the kernel for its state.
        with self._call("GET", f"{KERNELS}/{kernel}/channels", WEBSOCKET):
            while (state := self._state(kernel)) != IDLE:
                if time.monotonic() > deadline:
                    raise JupyterError(f"a new kernel is still {state}", status=0)
                time.sleep(POLL_EVERY)

    def _state(self, kernel: str) -> str:
        return str(self._call("GET", f"{KERNELS}/{kernel}").json()["execution_state"])

    def _call(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> "Response":
        import requests

        try:
            found = self._session.request(
                method,
                f"{self.url}/{path}",
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=headers is not None,
            )
        except requests.Timeout as error:
            raise NoAnswer(f"{self.url} does not answer: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise Unreachable(f"{self.url} cannot be reached: {type(error).__name__}") from None
        # Not followed: it leads to the page that asks for the token.
        if not found.ok or found.status_code >= REDIRECTED:
            raise JupyterError(f"{path} answered {found.status_code}", status=found.status_code)
        return found
