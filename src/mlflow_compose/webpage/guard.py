"""Refuses requests for other names and from other sites, and tells browsers to be strict."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer, with which browsers hide the origin of forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = frozenset({"GET", "HEAD"})


class Guard:
    """The application, protected from what other web pages make browsers send."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            hosts: Names and addresses that it answers for, without ports.
        """
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        app = PlainTextResponse(refusal, 403) if refusal else self._app
        await app(scope, receive, send_strictly)

    def _refusal(self, scope: Scope) -> str:
        """Return why a request is refused, empty if it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        # Another site may give its own name this machine's address (DNS rebinding).
        if without_port(host) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            return f"This page does not answer for this name. Its names are: {names}.\n"
        # Other ports of this machine count as the same site for cookies, and the seats are there.
        origins = {f"{scheme}://{host}" for scheme in ("http", "https")}
        if scope["method"] not in SAFE_METHODS and headers.get("origin", "").lower() not in origins:
            return "This request does not come from this page.\n"
        return ""


def without_port(host: str) -> str:
    """Return the name or address of a Host header."""
    name, colon, port = host.rpartition(":")
    # An IPv6 address is in brackets.
    return name if colon and port.isdigit() and not name.endswith(":") else host
