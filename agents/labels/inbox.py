"""Turns and signals that wait for the clock, to be taken in the order of their times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import itemgetter

import msgspec

from schemas.turns import FeedbackSignal, Turn, Turns

Item = Turn | FeedbackSignal
Entry = tuple[float, int, str, Item]
"""When it counts, 0 for a turn and 1 for a signal, its id, and itself."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Turns).decode
_time = itemgetter(0)


class Inbox:
    """Of one partition. At the same moment turns come before signals, then ids decide. What has come is saved as it came."""

    def __init__(self) -> None:
        self._queue: list[Entry] = []
        self._waiting: tuple[set[str], set[str]] = set(), set()
        self._sorted = True
        self._arrived: list[bytes] = []

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, message: Turns, raw: bytes) -> None:
        """What a message (``raw``: its bytes) brings. An item that waits already changes nothing."""
        if message.turns or message.signals:
            self._put(message)
            self._arrived.append(raw)

    def _put(self, message: Turns) -> None:
        queue, (turns, signals) = self._queue, self._waiting
        for turn in message.turns:
            request_id = turn.request_id
            if request_id not in turns:
                turns.add(request_id)
                queue.append((turn.ended if turn.ended > turn.time else turn.time, 0, request_id, turn))
        for signal in message.signals:
            event_id = signal.event_id
            if event_id not in signals:
                signals.add(event_id)
                queue.append((signal.time, 1, event_id, signal))
        self._sorted = False

    def beyond(self, most: int) -> float | None:
        """When the last of those counts of which more than ``most`` wait."""
        if len(self._queue) <= most:
            return None
        self._sort()
        return self._queue[len(self._queue) - most - 1][0]

    def before(self, until: float) -> int:
        """How many wait that count before the moment ``until``."""
        self._sort()
        return bisect_left(self._queue, until, key=_time)

    def take(self, until: float) -> list[Entry]:
        """What counts before the moment ``until``."""
        self._sort()
        end = bisect_left(self._queue, until, key=_time)
        taken, self._queue = self._queue[:end], self._queue[end:]
        turns, signals = self._waiting
        for _, kind, key, _ in taken:
            (signals if kind else turns).remove(key)
        return taken

    def _sort(self) -> None:
        if not self._sorted:
            self._queue.sort()  # ids differ, so items are never compared
            self._sorted = True

    # Persistence

    def take_changes(self) -> list[bytes]:
        """Messages since the last call."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def all(self, pieces_of: int) -> Iterator[bytes]:
        """What waits, as messages of a bounded size."""
        self._sort()
        for at in range(0, len(self._queue), pieces_of):
            items = [entry[3] for entry in self._queue[at : at + pieces_of]]
            turns = [item for item in items if isinstance(item, Turn)]
            yield _encode(Turns("", 0, 0.0, False, turns, [item for item in items if isinstance(item, FeedbackSignal)]))

    def load(self, now: float, messages: Iterable[bytes]) -> dict[str, Turn]:
        """Restore what the above returned. Returns the turns before the clock ``now`` by their ids: they were taken."""
        for raw in messages:
            self._put(_decode(raw))
        return {item.request_id: item for _, _, _, item in self.take(now) if isinstance(item, Turn)}
