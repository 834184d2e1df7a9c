"""Where requests wait whose responses come without a session.

Such a response goes to the home of its ``request_id``, its request to the home of its session. Who
has the request tells the other home, which then sends the response on.

In: requests that wait, :class:`Locate` from other partitions. Out: :class:`Locate` to them,
responses sent on. Fails never. Changes the join, and notes of copies
(agents/interactions/identity.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from agents.interactions.identity import remembered_id
from agents.interactions.join import OpenRequest
from agents.interactions.outbox import LOCATE, Locate
from agents.interactions.partition import Partition
from agents.interactions.progress import Ask
from schemas.events import Request, Response
from streams.deadletters import Origin
from streams.effects import Effects
from streams.partitioner import partition_of


class Whereabouts:
    """Known in one partition, by ``request_id``; at most ``join.max_open``."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._most = partition.context.settings.join.max_open
        self._orphan = partition.context.settings.join.orphan
        self._located: dict[str, Locate] = {}
        self._new: list[Locate] = []

    def __len__(self) -> int:
        return len(self._located)

    def of(self, response: Response) -> int | None:
        """The partition where the request of a response without a session waits; None if it is not
        known."""
        if response.session_id is not None:
            return None
        located = self._located.get(response.request_id)
        return None if located is None else located.partition

    def tell_home(self, entry: OpenRequest, due: float, effects: Effects) -> None:
        """The response may have come without a session: then it waits at the home of the request's
        id, and not for long."""
        request_id = entry.request.request_id
        if self._is_strange_home(entry.request):
            self._tell(self._home_of_request(request_id), request_id, due, effects)

    def tell_wanted(self, ask: Ask, effects: Effects) -> None:
        """Says which of the requests another partition asks for wait here, and of which of its
        responses a copy was taken here: that is a repeat, or the very record, which a crash has
        sent on a second way."""
        here = self._partition
        for request_id, event_id in zip_longest(ask.wanted, ask.events, fillvalue=""):
            entry = here.join.requests.get(request_id)
            due = here.late.due(request_id) if entry is None else entry.due
            if due is not None:
                self._tell(ask.asker, request_id, due, effects)
            elif (
                event_id in here.identity.seen
                and here.number != ask.asker == self._home_of_request(request_id)
            ):
                self._tell(ask.asker, request_id, here.clocks.time() + self._orphan, effects)

    def hear(self, located: Locate, effects: Effects) -> None:
        """Another partition says where a request waits."""
        join = self._partition.join
        waiting = join.responses.get(located.request_id)
        if waiting is not None and waiting.response.session_id is None:
            join.take_response(located.request_id)
            self.send_response(waiting.response, waiting.origin, located.partition, effects)
        else:
            self._remember(located)
            self._new.append(located)

    def send_response(
        self, response: Response, origin: Origin, partition: int, effects: Effects
    ) -> None:
        """A response without a session goes from the home of its ``request_id`` to where the
        request is; its copies follow it."""
        here = self._partition
        here.identity.send(remembered_id(response, origin.headers), partition)
        here.outbox.send_on("responses", origin, response.request_id.encode(), partition, effects)

    def pass_time(self, clock: float) -> None:
        """The partition's clock is at ``clock``."""
        if self._located:
            for request_id in [i for i, located in self._located.items() if located.until < clock]:
                del self._located[request_id]

    def _is_strange_home(self, request: Request) -> bool:
        """Whether a response that names no session has another home than this partition."""
        return (
            request.session_id is not None
            and self._home_of_request(request.request_id) != self._partition.number
        )

    def _home_of_request(self, request_id: str) -> int:
        return partition_of(request_id.encode(), self._partition.count)

    def _tell(self, partition: int, request_id: str, until: float, effects: Effects) -> None:
        self._partition.outbox.tell(
            partition, LOCATE, Locate(request_id, self._partition.number, until), effects
        )

    def _remember(self, located: Locate) -> None:
        self._located[located.request_id] = located
        if len(self._located) > self._most:
            del self._located[next(iter(self._located))]

    # Persistence

    def take_changes(self) -> list[Locate]:
        """What was heard since the last call."""
        new, self._new = self._new, []
        return new

    def all(self) -> list[Locate]:
        """What is known, oldest first."""
        return list(self._located.values())

    def load(self, located: Iterable[Locate]) -> None:
        """Restore what the above returned."""
        for one in located:
            self._remember(one)
