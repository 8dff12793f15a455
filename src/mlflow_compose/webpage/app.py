"""The web application of the teacher's page."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from mlflow_compose.webpage.access import LASTS, Access, Session
from mlflow_compose.webpage.guard import Guard
from mlflow_compose.webpage.live import Live
from mlflow_compose.webpage.page import Page
from mlflow_compose.webpage.work import RESET, Work

# Seconds after which a browser is told that the connection is alive, if nothing changes.
ALIVE_EVERY = 5.0
RETRY_AFTER = 1000
# Bytes of a request's body, in which only a password or the name of a seat is.
LONGEST_BODY = 4096
# Header in which the page sends the token of its session, and the one with the seat to reset.
TOKEN, CONFIRM = "x-page-token", "x-confirm"
MEDIA = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_MANY = 401, 403, 404, 409, 429
ACCEPTED, SEE_OTHER, BAD_REQUEST = 202, 303, 400


@dataclass(frozen=True)
class App:
    """The handlers of all requests.

    Attributes:
        page: What is shown, and to whom.
        files: Texts of the page's files, by name.
        access: Who is logged in.
        live: What is shown.
        work: What buttons ask for.
    """

    page: Page
    files: Mapping[str, str]
    access: Access
    live: Live
    work: Work

    def asgi(self) -> ASGIApp:
        """Return the application for a server."""
        routes = [
            Route("/", self.show),
            Route("/login", self.show_login),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
            Route("/events", self.events),
            Route("/seats/{seat}/{action}", self.act, methods=["POST"]),
            *(Route(f"/{name}", self.show_file) for name in MEDIA),
        ]
        return Guard(Starlette(routes=routes), self.page.hosts)

    async def show(self, request: Request) -> Response:
        """Answer with the page, or send the browser to the login."""
        session = self._session(request)
        if session is None:
            return RedirectResponse("/login", SEE_OTHER)
        return self._html("page.html", token=session.token)

    async def show_file(self, request: Request) -> Response:
        """Answer with a file of the page, which has no secrets."""
        name = request.url.path.removeprefix("/")
        return Response(self.files[name], media_type=MEDIA[name])

    async def show_login(self, request: Request) -> Response:
        """Answer with the form that asks for the password."""
        del request
        return self._html("login.html", problem="")

    async def log_in(self, request: Request) -> Response:
        """Check a password."""
        fields = parse_qs((await _body(request)).decode(errors="replace"))
        address = request.client.host if request.client else ""
        if pause := self.access.pause(address):
            problem = f"Too many wrong passwords. Try again in {pause} seconds."
            answer = self._html("login.html", TOO_MANY, problem=problem)
            answer.headers["Retry-After"] = str(pause)
            return answer
        session = self.access.log_in(fields.get("password", [""])[0], address)
        if session is None:
            problem = "Wrong password. It is the value of CLASS_PASSWORD in .env."
            return self._html("login.html", UNAUTHORIZED, problem=problem)
        answer = RedirectResponse("/", SEE_OTHER)
        answer.set_cookie(
            self.page.cookie,
            session.cookie,
            int(LASTS),
            secure=self.page.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        if session := self._session(request):
            self.access.log_out(session)
            # Other tabs of the browser notice with the next change.
            self.live.look()
        answer = RedirectResponse("/login", SEE_OTHER)
        answer.delete_cookie(self.page.cookie, httponly=True, samesite="strict")
        return answer

    async def events(self, request: Request) -> Response:
        """Push every change to a browser until it leaves."""
        session = self._session(request)
        if session is None:
            return _refuse(UNAUTHORIZED, "Log in first.")
        return StreamingResponse(
            self._changes(session),
            media_type="text/event-stream",
            # For proxies that would collect the events.
            headers={"X-Accel-Buffering": "no"},
        )

    async def act(self, request: Request) -> Response:
        """Add a job."""
        session = self._session(request)
        if session is None:
            return _refuse(UNAUTHORIZED, "Log in first.")
        # Compared by the other side's guess of 256 random bits: time reveals nothing of use.
        if request.headers.get(TOKEN) != session.token:
            return _refuse(FORBIDDEN, "This request does not come from this page.")
        seat, action = request.path_params["seat"], request.path_params["action"]
        if not self.live.has_seat(seat) or not self.work.has_action(action):
            return _refuse(NOT_FOUND, f"There is no seat {seat}, or nothing called {action}.")
        if action == RESET and request.headers.get(CONFIRM) != seat:
            return _refuse(BAD_REQUEST, f"To reset {seat}, its name must be typed.")
        if not self.work.add(seat, action):
            return _refuse(CONFLICT, f"Wait until the previous action on {seat} has ended.")
        return Response(status_code=ACCEPTED)

    async def _changes(self, session: Session) -> AsyncIterator[str]:
        """Yield the newest snapshot after each change, in the format of server-sent events."""
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        shown = -1
        # Milliseconds after which browsers try again if the connection is lost.
        yield f"retry: {RETRY_AFTER}\n\n"

        def notify() -> None:
            loop.call_soon_threadsafe(changed.set)

        with self.live.watching(notify):
            while not self.live.is_closed and self.access.session(session.cookie):
                changed.clear()
                if (version := self.live.version) != shown:
                    shown = version
                    yield f"data: {self.live.text()}\n\n"
                else:
                    yield "event: alive\ndata:\n\n"
                try:
                    await asyncio.wait_for(changed.wait(), ALIVE_EVERY)
                except TimeoutError:
                    continue

    def _session(self, request: Request) -> Session | None:
        return self.access.session(request.cookies.get(self.page.cookie, ""))

    def _html(self, name: str, status: int = 200, **values: str) -> Response:
        """Return a file with values instead of their names in capitals between at signs."""
        text = self.files[name]
        for field, value in {"title": self.page.title, **values}.items():
            text = text.replace(f"@{field.upper()}@", escape(value))
        return Response(text, status, media_type="text/html")


def _refuse(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence, status)


async def _body(request: Request) -> bytes:
    """Return the body of a request; a longer one is not what the page sends, and is cut off."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            break
    return body[:LONGEST_BODY]
