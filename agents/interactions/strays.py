"""Responses without a session whose request may be in any partition: time is not said to have passed them while one is looked for.

Such a response waits at the home of its ``request_id``; a request with a session waits at the
session's. As soon as everything up to the response's time has been read, the request is *sought*:
every partition is asked, and answers once it, too, has been sent everything up to then (see
:mod:`agents.interactions.progress` for how). Whoever has the request says where, ahead of its answer,
and the response goes there. What nobody has goes on waiting, and holds nothing back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from math import inf

from agents.interactions.join import WaitingResponse

MOST_SOUGHT = 5_000
"""In one question, which then has some 400 kB."""


class Strays:
    """Of the responses that wait in one partition, those whose request is yet to be sought."""

    def __init__(self, waiting: Mapping[str, WaitingResponse]) -> None:
        """``waiting``: by ``request_id``; what has left it is no stray any more."""
        self._waiting = waiting
        self._ahead: list[tuple[float, str]] = []
        """Heap of (time, ``request_id``) of those that nobody has been asked for."""
        self._sought: dict[str, int] = {}
        """Those that somebody has: answers count that are of a later round."""

    def add(self, entries: Iterable[WaitingResponse]) -> None:
        """They wait from now on."""
        for entry in entries:
            if entry.astray < inf:
                heappush(self._ahead, (entry.astray, entry.response.request_id))

    @property
    def earliest(self) -> float:
        """Epoch seconds of event time, infinite if there are none."""
        while self._ahead and not self._is_astray(*self._ahead[0]):
            heappop(self._ahead)
        first = self._ahead[0][0] if self._ahead else inf
        return min([first, *(entry.astray for entry in self._being_sought())])

    def seek(self, round: int, until: float) -> list[WaitingResponse]:
        """Those that are not later than ``until``: they are asked for in this round."""
        while self._ahead and self._ahead[0][0] <= until and len(self._sought) < MOST_SOUGHT:
            time, request_id = heappop(self._ahead)
            if self._is_astray(time, request_id):
                self._sought.setdefault(request_id, round - 1)
        return list(self._being_sought())

    def settle(self, confirmed: Callable[[int], bool]) -> list[WaitingResponse]:
        """Those that nobody has: they are no strays any more. ``confirmed``: whether everybody has answered a later round."""
        settled = [entry for entry in self._being_sought() if confirmed(self._sought[entry.response.request_id])]
        for entry in settled:
            del self._sought[entry.response.request_id]
            entry.astray = inf
        return settled

    def _being_sought(self) -> Iterator[WaitingResponse]:
        for request_id in list(self._sought):
            entry = self._waiting.get(request_id)
            if entry is None or entry.astray == inf:
                del self._sought[request_id]
            else:
                yield entry

    def _is_astray(self, time: float, request_id: str) -> bool:
        entry = self._waiting.get(request_id)
        return entry is not None and entry.astray == time
