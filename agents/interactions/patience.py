"""How long a request waits for its answer, and is kept when none has come. Pure; fails never."""

from __future__ import annotations

from collections.abc import Callable

from agents.interactions.apart import SETTLES, closes, is_apart, soon
from agents.interactions.join import OpenRequest
from schemas.events import Request
from streams.settings import JoinSettings


class Patience:
    """By the settings of the join. ``wall``: epoch seconds."""

    def __init__(self, join: JoinSettings, wall: Callable[[], float]) -> None:
        self.settles = min(join.late_answer, SETTLES)
        """Seconds that an unanswered request stays open."""
        self._grace = join.grace
        self._late_answer = join.late_answer
        self.soon = soon(self.settles)
        """Seconds within which no answer is apart: most need no closer look."""
        self._wall = wall

    def of(self, request: Request) -> float:
        """Seconds that a request waits for its answer until it counts as unanswered."""
        return (request.timeout_ms or 0) / 1000 + self._grace

    def kept_until(self, entry: OpenRequest) -> float:
        """The partition's clock up to which an unanswered request is kept with its text."""
        return (entry.heard or entry.time) + self.of(entry.request) + self._late_answer

    def closes(self, entry: OpenRequest) -> float:
        """Wall clock from which a request that is unanswered now may be closed."""
        written = entry.written or entry.time
        return closes(entry.time, written, self._wall(), self.of(entry.request), self.settles)

    def is_apart(self, entry: OpenRequest, ended: float, answer_written: float) -> bool:
        """Whether an answer is counted beside the sums of its request: see
        :func:`agents.interactions.apart.is_apart`."""
        time, patience = entry.time, self.of(entry.request)
        written = entry.written or time
        return is_apart(time, written, ended, answer_written, patience, self.settles)
