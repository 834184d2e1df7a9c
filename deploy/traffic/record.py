"""What every source of traffic yields, and the few things they all need: time, ids, order.

Times inside the package are whole microseconds since the epoch (UTC), so that shifting and formatting
never round; only `TimedRecord.time` is a float, in seconds, because it is used to pace and not to compute.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

REQUESTS = "requests"
RESPONSES = "responses"
FEEDBACK = "feedback"
EVALUATIONS = "evaluations"
SUFFIXES = (REQUESTS, RESPONSES, FEEDBACK, EVALUATIONS)
"""Topic names without the configured prefix."""

AT_ONCE = -math.inf
"""`TimedRecord.time` of a record that has no time of its own and that nothing timed precedes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TrafficError(Exception):
    """What the user must know and can act on: it says what is wrong, where, and what to do next."""


class TimedRecord(NamedTuple):
    """One record to publish to the topic `prefix + topic`."""

    time: float
    """When to publish it: event time, seconds since the epoch. Never decreases within one iterator."""
    topic: str
    """One of `SUFFIXES`."""
    key: bytes | None
    """`session_id`, else `request_id`, else `response_id`; None is published without a key."""
    value: bytes


def parse_us(text: str) -> int:
    """ISO 8601 or RFC 3339 text as microseconds since the epoch; a time without zone is UTC.

    Digits beyond the microsecond are cut, as `datetime.fromisoformat` does. Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    return datetime_us(moment)


def datetime_us(moment: datetime) -> int:
    """A datetime as microseconds since the epoch; one without zone is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def rfc3339(us: int) -> str:
    """Microseconds since the epoch as RFC 3339 in UTC, always with six decimals and `Z`."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}Z"


def row_id(run: str, row: int, content: bytes) -> str:
    """32 hexadecimal digits that identify a row of a run: the same for the same run, row number and content.

    The content takes part so that two different files replayed under one run name stay two.
    """
    return hashlib.blake2b(b"%b\0%d\0%b" % (run.encode(), row, content), digest_size=16).hexdigest()


class Shift:
    """Moves recorded times so that the first one asked for becomes `to`; without `to`, keeps them."""

    def __init__(self, to: datetime | None) -> None:
        self._to = None if to is None else datetime_us(to)
        self._offset: int | None = 0 if to is None else None

    @property
    def active(self) -> bool:
        """True if times change, hence the values that carry them."""
        return self._to is not None

    def __call__(self, us: int) -> int:
        if self._offset is None:
            assert self._to is not None
            self._offset = self._to - us
        return us + self._offset


def in_time_order(groups: Iterable[Sequence[TimedRecord]]) -> Iterator[TimedRecord]:
    """Merges groups of records into one sequence ordered by time.

    A group holds what one row causes; its first record is its earliest. Groups come in the order of their first
    records, so what has been read but not yet published (answers still to come) is all that is kept in memory.
    A group that comes after its time is published at once, under its own event time inside the value: that is
    what a late event is.
    """
    waiting: list[tuple[float, int, TimedRecord]] = []
    sequence = 0
    reached = AT_ONCE
    for group in groups:
        start = group[0].time
        while waiting and waiting[0][0] <= start:
            record = heapq.heappop(waiting)[2]
            if record.time < reached:
                record = record._replace(time=reached)
            reached = record.time
            yield record
        for record in group:
            heapq.heappush(waiting, (record.time, sequence, record))
            sequence += 1
    while waiting:
        record = heapq.heappop(waiting)[2]
        if record.time < reached:
            record = record._replace(time=reached)
        reached = record.time
        yield record
