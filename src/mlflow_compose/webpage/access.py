"""Who is logged in to the teacher's page."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

# Wrong passwords that one address may send within a number of seconds.
MOST_WRONG, WITHIN = 5, 60.0
# Seconds after which the teacher logs in again, and how many browsers may be logged in.
LASTS, MOST_SESSIONS = 12 * 3600.0, 50
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Session:
    """A browser that is logged in.

    Attributes:
        cookie: Value of its cookie.
        token: What the page sends along with each action: other sites cannot read it.
        ends: When it ends, on the clock of `Access`.
    """

    cookie: str
    token: str
    ends: float


class Access:
    """The teacher's password, and the browsers that entered it."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without sessions.

        Args:
            password: The teacher's password.
            clock: Returns a time in seconds that never goes back.
        """
        self._password, self._clock = password.encode(), clock
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[str, list[float]] = {}

    def pause(self, address: str) -> int:
        """Return the seconds until an address may try a password again, 0 if it may now."""
        now = self._clock()
        self._wrong = {
            one: recent
            for one, moments in self._wrong.items()
            if (recent := [moment for moment in moments if now - moment < WITHIN])
        }
        wrong = self._wrong.get(address, [])
        return int(WITHIN - (now - wrong[0])) + 1 if len(wrong) >= MOST_WRONG else 0

    def log_in(self, password: str, address: str) -> Session | None:
        """Return a new session, None if the password is wrong or the address has to wait."""
        if self.pause(address):
            return None
        if not hmac.compare_digest(password.encode(errors="replace"), self._password):
            self._wrong.setdefault(address, []).append(self._clock())
            return None
        session = Session(
            secrets.token_urlsafe(TOKEN_BYTES),
            secrets.token_urlsafe(TOKEN_BYTES),
            self._clock() + LASTS,
        )
        if len(self._sessions) >= MOST_SESSIONS:
            # The oldest comes first.
            del self._sessions[next(iter(self._sessions))]
        self._sessions[session.cookie] = session
        return session

    def session(self, cookie: str) -> Session | None:
        """Return the session of a cookie, None if it has ended or never was."""
        found = self._sessions.get(cookie)
        return found if found and self._clock() < found.ends else None

    def log_out(self, session: Session) -> None:
        """End a session."""
        self._sessions.pop(session.cookie, None)
