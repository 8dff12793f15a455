"""JupyterLab as people use it: pages, and kernels that run their code."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from websocket import WebSocket, create_connection

from .running import RunningStack

# A small package that nothing else needs, in an older version than the newest.
PACKAGE = "tabulate==0.9.0"
SECONDS = 120


class CellError(AssertionError):
    """A cell raised an exception."""


@dataclass(frozen=True)
class Lab:
    """The JupyterLab of a stack."""

    stack: RunningStack

    @property
    def url(self) -> str:
        """URL of its page."""
        return f"http://127.0.0.1:{self.stack.settings['JUPYTER_PORT']}"

    @property
    def token(self) -> str:
        """Token in the env file."""
        return self.stack.settings["JUPYTER_TOKEN"]

    @property
    def folder(self) -> Path:
        """Folder of notebooks on this machine."""
        return self.stack.folder / "notebooks"

    def call(
        self, method: str, path: str, token: str | None = None, body: object = None
    ) -> requests.Response:
        """Send a request with a token, by default the right one; an empty one is not sent."""
        chosen = self.token if token is None else token
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"token {chosen}"} if chosen else {}
            return session.request(
                method,
                f"{self.url}/{path}",
                headers=headers,
                timeout=30,
                allow_redirects=False,
                json=body,
            )

    def cookie(self, host: str) -> str:
        """Return the cookie that a browser gets with the token."""
        with requests.Session() as session:
            session.trust_env = False
            page = f"{self.url}/lab?token={self.token}"
            session.get(page, headers={"Host": host}, timeout=30, allow_redirects=False)
            return "; ".join(f"{name}={value}" for name, value in session.cookies.items())

    @contextmanager
    def kernel(
        self, host: str | None = None, origin: str | None = None, cookie: str | None = None
    ) -> Iterator["Kernel"]:
        """Provide a new kernel, in the folder of notebooks.

        Args:
            host: Name by which JupyterLab is called.
            origin: Origin of the page that opens the connection.
            cookie: Cookie to log in with, instead of the token.
        """
        answer = self.call("POST", "api/kernels", body={"path": "any.ipynb"})
        assert answer.ok, answer.text
        found = answer.json()["id"]
        address = f"{self.url.replace('http', 'ws', 1)}/api/kernels/{found}/channels"
        login = {} if cookie else {"Authorization": f"token {self.token}"}
        try:
            socket = create_connection(
                address, timeout=SECONDS, header=login, host=host, origin=origin, cookie=cookie
            )
            with closing(socket):
                yield Kernel(socket)
        finally:
            assert self.call("DELETE", f"api/kernels/{found}").ok

    def run(self, *cells: str) -> str:
        """Run cells in a new kernel; return what they print."""
        with self.kernel() as kernel:
            return "".join(kernel.run(cell) for cell in cells)

    def cells(self, notebook: str) -> list[str]:
        """Return the code in a notebook on this machine."""
        found = json.loads((self.folder / notebook).read_text(encoding="utf-8"))
        return ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "code"]


@dataclass(frozen=True)
class Kernel:
    """A kernel: https://jupyter-client.readthedocs.io/en/stable/messaging.html."""

    socket: WebSocket

    def run(self, code: str) -> str:
        """Run a cell; return what it prints."""
        request = uuid.uuid4().hex
        self.socket.send(json.dumps(_execute(request, code)))
        printed: list[str] = []
        for message in self._answers(request):
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                raise CellError("\n".join(content["traceback"]))
            elif content.get("execution_state") == "idle":
                break
        return "".join(printed)

    def _answers(self, request: str) -> Iterator[Mapping[str, Any]]:
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv())
            if message["parent_header"].get("msg_id") == request and message["channel"] == "iopub":
                yield message


def _execute(request: str, code: str) -> Mapping[str, Any]:
    return {
        "channel": "shell",
        "header": {
            "msg_id": request,
            "msg_type": "execute_request",
            "session": request,
            "username": "",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "allow_stdin": False},
    }
