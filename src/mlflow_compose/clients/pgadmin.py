"""pgAdmin as its own pages use it; its routes are those of https://github.com/pgadmin-org/pgadmin4.

It has no documented API. The package is pinned, so that its routes only change with this file.
"""

import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlflow_compose.clients.errors import NoAnswer, Unreachable

if TYPE_CHECKING:
    from requests import Response

# The tokens without which a form, or any other request that changes something, is refused.
FORM_TOKEN = re.compile(r'"csrfToken": "([^"]+)"')
PAGE_TOKEN = re.compile(r"pgAdmin\['csrf_token'\] = '([^']+)'")
TOKEN_HEADER = "X-pgA-CSRFToken"  # noqa: S105 - its name
PAGE, SCRIPT, LOGIN = "browser/", "browser/js/utils.js", "authenticate/login"
OK, BUSY = 200, "Busy"
# A form, or a JSON object.
Content = Mapping[str, Any]
# Seconds.
TIMEOUT, ANSWERS_WITHIN, POLL_EVERY = 30.0, 30.0, 0.05


class PgAdminError(Exception):
    """pgAdmin refused a request, or what it was asked to do failed."""


class PgAdmin:
    """A client of the pgAdmin at `url`, not logged in yet."""

    def __init__(self, url: str, *, verify: bool | str = True) -> None:
        import requests

        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify
        # As browsers do; behind TLS, its protection from forged requests compares the origin.
        self._session.headers["Referer"] = f"{url}/{PAGE}"

    def has_page(self) -> bool:
        """Tell whether the page is shown, instead of a login."""
        return self._send("GET", PAGE).status_code == OK

    @contextmanager
    def login(self, email: str, password: str) -> Iterator[bool]:
        """Log in, and log out at the end; provide whether the login was accepted."""
        token = _found(FORM_TOKEN, self._call("GET", "login").text)
        form = {"email": email, "password": password, "csrf_token": token}
        self._send("POST", LOGIN, data=form)
        if not self.has_page():
            yield False
            return
        token = _found(PAGE_TOKEN, self._call("GET", SCRIPT).text)
        self._session.headers[TOKEN_HEADER] = token
        try:
            yield True
        finally:
            self._send("GET", "logout")

    def servers(self) -> Sequence[str]:
        """Return the paths of the listed database servers: group and number."""
        groups = self._call("GET", "browser/server_group/nodes/").json()["data"]
        found = []
        for group in [each["_id"] for each in groups]:
            nodes = self._call("GET", f"browser/server/nodes/{group}/").json()["result"]
            found += [f"{group}/{node['_id']}" for node in nodes]
        return found

    def query(self, server: str, statement: str) -> Sequence[Sequence[Any]]:
        """Connect to a listed server without a password, and run a statement there.

        Raises:
            PgAdminError: It cannot connect, or the statement failed; the message says why.
        """
        found = self._call("POST", f"browser/server/connect/{server}", json={}).json()["data"]
        # The pages choose a number at random, too.
        tab = secrets.randbelow(9_999_999)
        start = f"sqleditor/initialize/sqleditor/{tab}/{server}/{found['did']}"
        self._call("POST", start, json={"dbname": found["db"]})
        try:
            self._call("POST", f"sqleditor/query_tool/start/{tab}", json={"sql": statement})
            return self._result(tab)
        finally:
            self._send("DELETE", f"sqleditor/close/{tab}")

    def _result(self, tab: int) -> Sequence[Sequence[Any]]:
        deadline = time.monotonic() + ANSWERS_WITHIN
        while time.monotonic() < deadline:
            found = self._call("GET", f"sqleditor/poll/{tab}").json()["data"]
            if found["status"] != BUSY:
                rows: Sequence[Sequence[Any]] = found["result"]
                return rows
            time.sleep(POLL_EVERY)
        raise PgAdminError("a query does not end")

    def _call(self, method: str, path: str, **content: Content) -> "Response":
        found = self._send(method, path, **content)
        if found.status_code != OK:
            raise PgAdminError(f"{path} answered {found.status_code}{_reason(found)}")
        return found

    def _send(self, method: str, path: str, **content: Content) -> "Response":
        import requests

        try:
            return self._session.request(
                method,
                f"{self.url}/{path}",
                timeout=TIMEOUT,
                # A redirection leads to the login.
                allow_redirects=False,
                data=content.get("data"),
                json=content.get("json"),
            )
        except requests.Timeout as error:
            raise NoAnswer(f"{self.url} does not answer: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise Unreachable(f"{self.url} cannot be reached: {type(error).__name__}") from None


def _found(token: re.Pattern[str], page: str) -> str:
    if match := token.search(page):
        return match[1]
    raise PgAdminError("its page has no token, so this is not pgAdmin")


def _reason(response: "Response") -> str:
    """Return what pgAdmin says about an error, empty if it says nothing."""
    try:
        text = str(response.json()["errormsg"])
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {text.strip().splitlines()[0]}" if text.strip() else ""
