"""Reprocessing from a moment on (``mirante worker --from``): which records a backfill reads, and which of them it counts.

A backfill is a run of its own beside the live one: another consumer group, internal topics of its own, the same tables. It writes the
rows that the live run wrote, with the same identities and versions, so nothing doubles. Rows of windows belong to segments of
request offsets; therefore it counts from the beginning of the segment that holds the moment. Before that it *warms up*:
it reads what the live run still remembered there, so that repeats are known as repeats. It ends where the topics ended when it began:
what came later is the live workers' work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition

from streams.fetching import Consumer, deliver
from streams.kafka import end_offsets, new_reader
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)

SKEW_MS = 120_000
"""How much earlier than its requests the other topics are read, by Kafka timestamps: clocks of writers differ."""

POLL = 1.0

SETTLE = 60.0
"""Seconds that the last requests have to be answered or to time out; live traffic has open requests all the time."""


class BackfillError(ValueError):
    """The moment is not usable; the message says why."""


@dataclass(frozen=True)
class Backfill:
    """``starts`` and ``ends``: offsets of the event topics. ``counted_from``: per partition, the first request that counts."""

    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    counted_from: tuple[int, ...]

    @property
    def records(self) -> int:
        """How many records it reads."""
        return sum(end - self.starts[tp] for tp, end in self.ends.items())


async def plan(settings: Settings, since: datetime) -> Backfill:
    """What a backfill reads. Raises BackfillError if nothing was written since then."""
    topics = Topics.of(settings)
    reader = new_reader(settings, unreadable=deliver)  # it has a time, too
    await reader.start()
    try:
        tps = [TopicPartition(topic, p) for topic in topics.events for p in range(settings.partitions)]
        reader.assign(tps)
        begins, ends = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
        moment = int(since.timestamp() * 1000)
        requests = [tp for tp in tps if tp.topic == topics.requests]
        firsts = {tp: await _first_at(reader, tp, begins[tp], ends[tp], moment) for tp in requests}
        size = settings.segment_requests
        counted = {tp: max(begins[tp], first // size * size) for tp, first in firsts.items()}
        starts = {tp: max(begins[tp], offset - settings.dedup_window) for tp, offset in counted.items()}
        stamps = [await _timestamp(reader, tp, start) for tp, start in starts.items() if start < ends[tp]]
        earliest = min([moment, *stamps]) - SKEW_MS
        for tp in tps:
            if tp not in starts:
                starts[tp] = await _first_at(reader, tp, begins[tp], ends[tp], earliest)
    finally:
        await reader.stop()
    if all(starts[tp] >= ends[tp] for tp in tps):
        raise BackfillError(f"nothing was written to {topics.prefix}* since {since.isoformat()}; choose an earlier moment")
    return Backfill(starts, ends, tuple(counted[tp] for tp in requests))


async def _first_at(reader: Consumer, tp: TopicPartition, begin: int, end: int, moment: int) -> int:
    """The first offset whose record was written at ``moment`` (epoch milliseconds) or later; ``end`` if there is none.

    By bisection: the embedded broker does not look offsets up by time. Timestamps are taken to grow with the offsets.
    """
    while begin < end:
        middle = (begin + end) // 2
        if await _timestamp(reader, tp, middle) < moment:
            begin = middle + 1
        else:
            end = middle
    return begin


async def _timestamp(reader: Consumer, tp: TopicPartition, offset: int) -> int:
    """When the record at an offset (or the next one there is) was written, in epoch milliseconds."""
    reader.seek(tp, offset)
    while True:
        fetched = await reader.getmany(tp, timeout_ms=1000, max_records=1)
        for record in fetched.get(tp, []):
            return int(record.timestamp)


async def until_complete(
    settings: Settings,
    backfill: Backfill,
    durable: Callable[[], Mapping[TopicPartition, int]],
    owned: Callable[[], set[int]],
    waiting: Callable[[], int],
) -> None:
    """Return once everything that this worker's partitions hold of the backfill is durable, what was forwarded included.

    ``waiting``: entries of which something may still come, such as requests. The last ones of the
    backfill have time to be settled.
    """
    topics = Topics.of(settings)
    goals = {tp: end for tp, end in backfill.ends.items() if backfill.starts[tp] < end}
    internal = [topics.rekeyed, topics.partials]
    for step in [None, *internal]:
        if step is not None:  # complete only now: its writers have read all they had to
            goals.update(await end_offsets(settings, [step]))
        while True:
            done, mine = durable(), owned()
            left = sum(max(0, end - done.get(tp, 0)) for tp, end in goals.items() if tp.partition in mine)
            if mine and not left:
                break
            log.info("backfill: %s records to go", f"{left:,}" if mine else "waiting for partitions; all")
            await asyncio.sleep(POLL)
        if step is None:
            for _ in range(round(SETTLE / POLL)):
                if not waiting():
                    break
                await asyncio.sleep(POLL)
