"""What the guards found in calls, on its way from stage 1 to the agent ``guards``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from agents.common.taps import Call, Head
from agents.guards.seen import Appeared, Attempted, AttemptsKey, PiiPlace, Seen
from agents.inspection.attempts import Attempt
from agents.inspection.flags import INJECTION
from schemas.events import Evaluation, Feedback, Request
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of

MOST_PLACES = 5_000
"""Places whose first personal data was told, per partition; then they are told again, which does no harm."""


class _Line(msgspec.Struct):
    injection: list[Attempt] = []


_encode = msgspec.msgpack.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode


class GuardTap:
    """Of one partition (see :class:`agents.common.taps.Tap`). ``topic`` has ``partitions`` partitions."""

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = partitions
        self._attempted: defaultdict[int, list[Attempted]] = defaultdict(list)
        self._appeared: defaultdict[int, list[Appeared]] = defaultdict(list)
        self._told: dict[PiiPlace, float] = {}

    def answered(self, call: Call) -> None:
        if not call.item.flags:
            return
        request, response, time = call.request, call.response, call.ended
        tenant, feature = request.tenant or "", request.feature or ""
        if INJECTION in call.item.flags:
            by = request.user_id or request.session_id or request.request_id
            for key in _keys(request, _decode_line(call.line).injection):
                attempted = Attempted(key, time, request.request_id, response.response_id, feature, by)
                self._attempted[self._home(key)].append(attempted)
        for direction, kind in call.seen:
            if direction == "echo":
                continue
            place = PiiPlace(tenant, feature, direction, kind)
            if time < self._told.get(place, float("inf")):  # events of one partition are not always read in one order
                if len(self._told) >= MOST_PLACES:
                    self._told.clear()
                self._told[place] = time
                self._appeared[self._home(place[:2])].append(Appeared(place, time, response.response_id))

    def unanswered(self, request: Request, time: float) -> None:
        """Nothing was answered: the row says what was attempted."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        """Of no interest."""

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        """Of no interest."""

    def close(self, head: Head, announce: bool, effects: Effects) -> None:
        homes = range(self._partitions) if announce else sorted(self._attempted.keys() | self._appeared.keys())
        for home in homes:
            attempted, appeared = self._attempted.get(home, []), self._appeared.get(home, [])
            seen = Seen(head.source, head.partition, head.clock, head.rests, attempted, appeared)
            effects.messages.append(OutgoingMessage(self._topic, home, None, _encode(seen)))
        self._attempted.clear()
        self._appeared.clear()

    def _home(self, key: tuple[str, ...]) -> int:
        return partition_of("\x1f".join(key).encode("utf-8", "replace"), self._partitions)


def _keys(request: Request, attempts: list[Attempt]) -> Iterator[AttemptsKey]:
    """Whose attempts a call adds to: each once."""
    tenant = request.tenant or ""
    if any(attempt.where == "question" for attempt in attempts):
        if request.user_id:
            yield AttemptsKey("user", tenant, request.user_id)
        elif request.session_id:
            yield AttemptsKey("session", tenant, request.session_id)
    for document in sorted({attempt.document for attempt in attempts if attempt.where == "document"}):
        yield AttemptsKey("document", tenant, document)
