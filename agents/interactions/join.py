"""Requests and responses waiting for each other, in event time.

A request is *open* until its response comes. When ``timeout_ms`` plus grace has passed it is *unanswered*, and is kept for a while so that
a late answer still completes it. A response that comes first *waits*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from math import floor, inf
from typing import NamedTuple

import msgspec

from agents.interactions.progress import ReadingProgress
from schemas.events import Extra, Request, Response
from streams.deadletters import Origin


class OpenRequest(msgspec.Struct, array_like=True, gc=False):
    """A request without its answer.

    ``due``: epoch seconds of its next deadline. ``stored``: the changelog holds it. ``heard``: the
    clock of its topic when it came, from which it waits; 0 in a state written before it was kept.
    """

    request: Request
    extra: Extra | None
    time: float
    segment: int
    due: float
    unanswered: bool = False
    stored: bool = False
    heard: float = 0.0
    offset: int = -1
    """At which it was written, in the partition that its segment says."""
    written: float = 0.0
    """When it was written, as Kafka says, epoch seconds; 0 in a state written before it was kept."""
    closes: float = 0.0
    """Wall clock, epoch seconds, before which it must not be forgotten: see agents/interactions/apart.py."""


class WaitingResponse(msgspec.Struct, array_like=True, gc=False):
    """A response whose request has not come yet.

    ``astray``: its event time in epoch seconds while its request may be in any partition (strays.py);
    else infinite.
    """

    response: Response
    extra: Extra | None
    due: float
    origin: Origin
    stored: bool = False
    astray: float = inf


class Due(NamedTuple):
    """What has a deadline: a request or a response, whichever is set."""

    request: OpenRequest | None
    response: WaitingResponse | None

    @property
    def _entry(self) -> OpenRequest | WaitingResponse | None:
        return self.request if self.request is not None else self.response

    @property
    def due(self) -> float:
        """The entry's present deadline; it may have moved since the heap was told."""
        return inf if self._entry is None else self._entry.due

    def is_revocable(self, wall: float) -> bool:
        """An unanswered request may still be answered, and stays one for a while."""
        return self.request is not None and (not self.request.unanswered or self.request.closes > wall)

    @property
    def may_be_anywhere(self) -> bool:
        """Whether what it waits for, the request of a response without a session, may be in any partition."""
        return self.response is not None and self.response.response.session_id is None


HOPS = 2
"""How often what is missing may be sent on: a request from where it was read to its home, which then says that it has it; a response to the
home of its request's id, and from there to the request. Who has answered had sent on before, and who is asked after that has it."""


class _Held(msgspec.Struct, gc=False):
    """Something irrevocable. ``asked_after``: the questions to other partitions that count are those after this round; None until one
    has named what it waits for. ``rounds``: how many such questions, one after the other, all have yet to answer."""

    asked_after: int | None
    item: Due
    rounds: int = HOPS


_NEVER = 2**62
"""The second of deadlines that are infinite: a setting of the join may be."""


class _Deadlines:
    """(due, request_id) in order. Near ones are a heap; further ones lie in a bucket for each second until it comes: most are settled by
    then, and cost no more than an append. Entries are discarded lazily: who gets one looks whether it still holds."""

    def __init__(self, requests: Mapping[str, OpenRequest], responses: Mapping[str, WaitingResponse]) -> None:
        self._requests = requests
        self._responses = responses
        self._near: list[tuple[float, str]] = []
        self._far: dict[int, list[tuple[float, str]]] = {}
        self._seconds: list[int] = []
        """Heap of the seconds that have a bucket, none of them before ``_horizon``."""
        self._horizon = 0

    def add(self, due: float, request_id: str) -> None:
        second = floor(due) if due < inf else _NEVER
        if second < self._horizon:
            heappush(self._near, (due, request_id))
        elif (bucket := self._far.get(second)) is not None:
            bucket.append((due, request_id))
        else:
            self._far[second] = [(due, request_id)]
            heappush(self._seconds, second)

    def passed(self, clock: float) -> Iterator[tuple[float, str]]:
        """Take those that have passed, in order, each once; also what is added meanwhile."""
        while self._seconds and self._seconds[0] <= clock:
            self._come_near()
        self._horizon = max(self._horizon, floor(clock) + 1)
        last: tuple[float, str] | None = None
        while self._near and self._near[0][0] <= clock:
            deadline = heappop(self._near)
            if deadline != last:  # restored twice: an entry changed after its deadline was set is in two pieces of the changelog
                last = deadline
                yield deadline

    def first(self) -> tuple[float, str] | None:
        while not self._near and self._seconds:
            self._come_near()
        return self._near[0] if self._near else None

    def drop_first(self) -> None:
        heappop(self._near)

    def _come_near(self) -> None:
        second, requests, responses = heappop(self._seconds), self._requests, self._responses
        self._horizon = second + 1
        for deadline in self._far.pop(second):
            if deadline[1] in requests or deadline[1] in responses:
                heappush(self._near, deadline)


class Join:
    """Both sides of the join, by ``request_id``, with what changed since the last checkpoint."""

    def __init__(self) -> None:
        self.requests: dict[str, OpenRequest] = {}
        self.responses: dict[str, WaitingResponse] = {}
        self.unanswered = 0
        """How many of the requests are unanswered."""
        self._deadlines = _Deadlines(self.requests, self.responses)
        self._held: list[_Held] = []
        self._touched: set[str] = set()
        self._gone: set[str] = set()

    def open(self, entry: OpenRequest) -> None:
        """A request waits for its answer, until ``entry.due``. Also called when the deadline moves."""
        request_id = entry.request.request_id
        self.requests[request_id] = entry
        self._touched.add(request_id)
        self._deadlines.add(entry.due, request_id)

    def give_up(self, entry: OpenRequest, late_answer: float) -> None:
        """An open request is unanswered, and waits ``late_answer`` seconds longer."""
        entry.unanswered = True
        self.unanswered += 1
        entry.due += late_answer
        self.open(entry)

    def close(self, request_id: str) -> None:
        """The request is settled."""
        entry = self.requests.pop(request_id)
        self.unanswered -= entry.unanswered
        if entry.stored:
            self._gone.add(request_id)
        self._touched.discard(request_id)

    def wait(self, entry: WaitingResponse) -> None:
        """A response waits for its request."""
        request_id = entry.response.request_id
        self.responses[request_id] = entry
        self._touched.add(request_id)
        self._deadlines.add(entry.due, request_id)

    def touch(self, request_id: str) -> None:
        """What waits under this id has changed, but not when it is due."""
        self._touched.add(request_id)

    def take_response(self, request_id: str) -> WaitingResponse | None:
        """The waiting response of a request, which waits no longer."""
        entry = self.responses.pop(request_id, None)
        if entry is not None:
            if entry.stored:
                self._gone.add(request_id)
            if request_id not in self.requests:
                self._touched.discard(request_id)
        return entry

    def due(self, clock: float, wall: float, progress: ReadingProgress) -> Iterator[Due]:
        """Deadlines that have passed at event time ``clock``. The caller closes or re-opens what it gets, one by one.

        What is irrevocable (to forget a request, to give up a response) is held until all partitions confirm that they have read
        what was written.
        """
        for due, request_id in self._deadlines.passed(clock):
            request, response = self.requests.get(request_id), self.responses.get(request_id)
            for item in (Due(request, None), Due(None, response)):
                if item.due != due:
                    continue
                if item.is_revocable(wall):
                    yield item
                else:
                    self._held.append(_Held(None if item.may_be_anywhere else progress.round, item))
        if self._held and progress.take_fresh():
            helds, self._held = self._held, []
            for held in helds:
                if not self._is_waiting(held.item):
                    continue
                if held.item.due <= clock and held.asked_after is not None and progress.confirmed(held.asked_after):
                    held.rounds -= 1
                    if not held.rounds:
                        yield held.item
                        continue
                    held.asked_after = None if held.item.may_be_anywhere else progress.round
                self._held.append(held)

    @property
    def holds(self) -> bool:
        """Whether something irrevocable waits for the progress of other partitions."""
        return bool(self._held)

    def wanted(self, round: int, most: int) -> list[WaitingResponse]:
        """Held responses without a session, the first ``most``: their requests may be in any partition, and are asked for in ``round``."""
        found: list[WaitingResponse] = []
        for held in self._held:
            if len(found) == most:
                break
            if held.item.may_be_anywhere and held.item.response is not None:
                found.append(held.item.response)
                if held.asked_after is None:
                    held.asked_after = round - 1
        return found

    def _is_waiting(self, item: Due) -> bool:
        if item.request is not None:
            return self.requests.get(item.request.request.request_id) is item.request
        return item.response is not None and self.responses.get(item.response.response.request_id) is item.response

    def earliest(self) -> OpenRequest | None:
        """The open request with the earliest deadline."""
        while (deadline := self._deadlines.first()) is not None:
            due, request_id = deadline
            if (request := self.requests.get(request_id)) is not None and request.due == due:
                return request
            if (response := self.responses.get(request_id)) is not None and response.due == due:
                return min(self.requests.values(), key=lambda entry: entry.due, default=None)
            self._deadlines.drop_first()
        return None

    def take_changes(self) -> tuple[list[OpenRequest], list[WaitingResponse], list[str]]:
        """(new or changed requests, new waiting responses, ids settled) since the last call."""
        requests = [entry for i in self._touched if (entry := self.requests.get(i)) is not None]
        responses = [response for i in self._touched if (response := self.responses.get(i)) is not None]
        for entry in requests:
            entry.stored = True
        for waiting in responses:
            waiting.stored = True
        gone = sorted(self._gone)
        self._touched.clear()
        self._gone.clear()
        return requests, responses, gone

    def load(self, requests: list[OpenRequest], responses: list[WaitingResponse], gone: list[str]) -> None:
        """Restore what :meth:`take_changes` returned."""
        for request_id in (*gone, *(entry.request.request_id for entry in requests)):
            if (known := self.requests.pop(request_id, None)) is not None:
                self.unanswered -= known.unanswered
        for request_id in gone:
            self.responses.pop(request_id, None)
        for entry in requests:
            entry.stored = True
            self.unanswered += entry.unanswered
            self.requests[entry.request.request_id] = entry
            self._deadlines.add(entry.due, entry.request.request_id)
        for waiting in responses:
            waiting.stored = True
            self.responses[waiting.response.request_id] = waiting
            self._deadlines.add(waiting.due, waiting.response.request_id)
