"""Sessions of the HTTP interface: state that lasts from one request to the next, until nobody has asked for a while."""

import time
from dataclasses import dataclass, field

from deploy.embedded.clickhouse.errors import (
    INVALID_SESSION_TIMEOUT,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    server_error,
)
from deploy.embedded.clickhouse.workspace import Workspace

DEFAULT_TIMEOUT = 60.0  # default_session_timeout
MAX_TIMEOUT = 3600.0  # max_session_timeout
MAX_SESSIONS = 1000


@dataclass(slots=True)
class HttpSession:
    """`workspace` is made by the first request that gets this far."""

    name: str
    timeout: float
    busy: bool = True
    expires: float = 0.0
    workspace: Workspace | None = None
    retired: list[Workspace] = field(default_factory=list)


class Sessions:
    """For the event loop only. The caller closes what `expired()` returns, where blocking is allowed."""

    def __init__(self) -> None:
        self._sessions: dict[str, HttpSession] = {}

    def take(self, name: str, timeout: float, must_exist: bool) -> HttpSession:
        """Lock a session for one request, creating it unless it must exist."""
        if not 0 <= timeout <= MAX_TIMEOUT:
            text = f"Session timeout '{timeout:g}' is larger than max_session_timeout: {MAX_TIMEOUT:g}"
            raise server_error(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", text)
        session = self._sessions.get(name)
        if session is None or (not session.busy and session.expires < time.monotonic()):
            if must_exist:
                raise server_error(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", f"Session {name} not found")
            fresh = HttpSession(name, timeout)
            if session is not None and session.workspace is not None:
                fresh.retired.append(session.workspace)
            self._sessions[name] = fresh
            return fresh
        if session.busy:
            raise server_error(SESSION_IS_LOCKED, "SESSION_IS_LOCKED", f"Session {name} is locked by a concurrent client")
        session.busy = True
        session.timeout = timeout
        return session

    def give_back(self, session: HttpSession) -> None:
        """End of the request; the time to live begins anew."""
        session.busy = False
        session.expires = time.monotonic() + session.timeout

    def expired(self, everything: bool = False) -> list[Workspace]:
        """Forget and return what expired, and the sessions nearest to it while there are more than MAX_SESSIONS."""
        now = time.monotonic()
        idle = sorted((s for s in self._sessions.values() if not s.busy), key=lambda session: session.expires)
        excess = len(self._sessions) - MAX_SESSIONS
        gone = [s for position, s in enumerate(idle) if everything or s.expires < now or position < excess]
        for session in gone:
            del self._sessions[session.name]
        return [s.workspace for s in gone if s.workspace is not None] + [w for s in gone for w in s.retired]
