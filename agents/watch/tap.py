"""Numbers that are followed, on their way from stage 1 to the agent ``watch``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from agents.common.taps import Call, Head
from agents.watch.settings import NUMBERS, Watch
from agents.watch.told import AnsweredCall, Followed, Measured, ScoreGiven, WatchPlace
from schemas.events import Evaluation, Feedback, Request
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of

LARGEST = 1e100
"""Beyond it numbers are all alike: sums of them are numbers."""

_encode = msgspec.msgpack.Encoder().encode


class WatchTap:
    """Of one partition (see :class:`agents.common.taps.Tap`). ``topic`` has ``partitions``."""

    def __init__(self, topic: str, partitions: int, watches: Sequence[Watch]) -> None:
        self._topic = topic
        self._partitions = partitions
        self._fields = [watch for watch in watches if watch.field]
        self._scores = [watch for watch in watches if watch.score]
        self._clear()

    def _clear(self) -> None:
        self._measured: defaultdict[int, list[Measured]] = defaultdict(list)
        self._answered: defaultdict[int, list[AnsweredCall]] = defaultdict(list)
        self._given: list[ScoreGiven] = []

    def answered(self, call: Call) -> None:
        request = call.request
        if (request.variant or "live") != "live":
            return
        where = (request.tenant or "", request.feature or "", request.model)
        extra: Any = None
        for watch in self._fields:
            if not watch.covers(*where):
                continue
            if watch.field in NUMBERS:
                value = number_of(_column(call, watch.field))
            else:
                extra = _unknown(call.row.extra) if extra is None else extra
                value = number_at(extra, watch.field)
            if value is not None:
                place = _place(watch, *where)
                told = Measured(place, hashed(call.response.response_id), call.ended, value)
                self._measured[self._home(place)].append(told)
        homes: defaultdict[int, list[WatchPlace]] = defaultdict(list)
        for watch in self._scores:
            if watch.covers(*where):
                place = _place(watch, *where)
                homes[self._home(place)].append(place)
        for home, places in homes.items():
            one = AnsweredCall(hashed(call.response.response_id), call.ended, places)
            self._answered[home].append(one)

    def unanswered(self, request: Request, time: float) -> None:
        """It has no numbers."""

    def feedback(self, event: Feedback, line: bytes) -> None:
        """Labels say what it means."""

    def evaluation(self, event: Evaluation, line: bytes) -> None:
        for watch in self._scores:
            if watch.score == event.name:
                ids = hashed(event.event_id), hashed(event.response_id)
                time = event.time.timestamp()
                self._given.append(ScoreGiven(watch.name, *ids, time, event.score))

    def close(self, head: Head, announce: bool, effects: Effects) -> None:
        told = self._measured.keys() | self._answered.keys()
        homes = range(self._partitions) if announce or self._given else sorted(told)
        for home in homes:
            message = Followed(
                head.source, head.partition, head.complete, head.rests,
                self._measured.get(home, []), self._answered.get(home, []), self._given,
            )  # fmt: skip
            effects.messages.append(OutgoingMessage(self._topic, home, None, _encode(message)))
        self._clear()

    def _home(self, place: WatchPlace) -> int:
        key = "\x1f".join((place.watch, *place.series)).encode("utf-8", "replace")
        return partition_of(key, self._partitions)


def hashed(name: str) -> int:
    """An id in eight bytes."""
    name_bytes = name.encode("utf-8", "replace")
    return int.from_bytes(blake2b(name_bytes, digest_size=8, person=b"watch").digest(), "big") >> 1


def number_of(value: object) -> float | None:
    """A finite number, or truth as 0 or 1; nothing else, not even digits in a text."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return max(-LARGEST, min(LARGEST, number)) if isfinite(number) else None


def number_at(extra: Any, path: str) -> float | None:
    """The number at a path in the unknown fields of a response, else of its request."""
    for event in ("response", "request"):
        for names in _readings(path):
            found = extra.get(event) if isinstance(extra, dict) else None
            for name in names:
                found = found.get(name) if isinstance(found, dict) else None
            if (value := number_of(found)) is not None:
                return value
    return None


def _readings(path: str) -> Iterator[list[str]]:
    """A name may have dots in it, as OpenTelemetry's have."""
    yield [path]
    if "." in path:
        yield path.split(".")


def _unknown(extra: str) -> Any:
    """What ``InteractionRow.extra`` holds; nothing if a number in it is one for nobody."""
    try:
        return msgspec.json.decode(extra)
    except msgspec.DecodeError:
        return {}


def _column(call: Call, name: str) -> float | None:
    value: float | str | None = getattr(call.row, name)
    return None if value is None else float(value)


def _place(watch: Watch, tenant: str, feature: str, model: str) -> WatchPlace:
    values = {"tenant": tenant, "feature": feature, "model": model}
    return WatchPlace(watch.name, tuple(values[dimension] for dimension in watch.by))
