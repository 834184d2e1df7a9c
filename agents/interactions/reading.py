"""Step 1, read: the records of a partition's own topic become events, with the partitions they
belong to.

In: a batch. Out: :class:`Routed`. What is no event is a dead letter; fails never. Changes the clock
of the topic, and nothing else: events that belong elsewhere are in it too.
"""

from __future__ import annotations

from math import inf

from agents.interactions.clock import SKEW, STEP
from agents.interactions.outbox import as_origin
from agents.interactions.partition import Partition
from agents.interactions.skew import who
from agents.interactions.steps import Arrival, Routed
from schemas.decoding import DECODERS
from schemas.events import Event, EventError, Request, key_of
from streams.effects import Effects
from streams.partitioner import partitions_of
from streams.state import Batch

LIVE_LAG = 60.0
"""Input is live once its records have been written within so many seconds of their event times."""


class Reader:
    """Of one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._clocks = partition.clocks
        self._max_future = partition.context.settings.max_future
        self._lateness = partition.context.settings.lateness
        topics = partition.context.topics
        self._kinds = {topic: topics.kind_of(topic) for topic in topics.events}

    def read_batch(self, batch: Batch, effects: Effects) -> Routed:
        """Records as services wrote them; homes are computed for all at once."""
        arrivals: list[Arrival] = []
        keys: list[bytes] = []
        prompt: list[float] = []
        kind, clocks = self._kinds[batch.topic], self._clocks
        decode, max_future, lateness = DECODERS[kind], self._max_future, self._lateness
        # Of this partition's own topics only: a re-keyed event says nothing of how far they have
        # been read.
        running = clocks.of(kind)
        clock, wary = running.time, running.wary
        latest, hand = clocks.latest(), self._partition.in_hand
        for record in batch.records:
            hand.record = record
            try:
                event, extra = decode(record.value)
                time, written = event.time.timestamp(), record.timestamp / 1000
                if time - written > max_future:
                    raise EventError(_from_the_future(event, time - written, max_future))
            except EventError as error:
                self._partition.outbox.dead(as_origin(record), error.reason, effects)
                continue
            believed = written + SKEW if written <= latest else -inf
            if time <= believed:
                believed = time
            elif isinstance(event, Request):
                clocks.skews.ahead(who(event), time - min(written, latest), effects)
            if (wary and believed > -inf) or believed > clock + STEP:
                running.time = clock
                service = who(event) if isinstance(event, Request) and believed == time else ""
                denied = running.hear(believed, service)
                clock, wary = running.time, running.wary
                clocks.name(denied, clock, effects)
            elif believed > clock:
                clock = believed
            if time < clock - lateness:
                effects.count("late", kind)
                if isinstance(event, Request):
                    clocks.skews.behind(who(event), clock - time, clock, effects)
            if written - time <= LIVE_LAG:
                prompt.append(time)
            arrivals.append(Arrival(kind, event, extra, time, clock, record))
            keys.append((event.session_id or key_of(event)).encode())
        running.time = clock
        if batch.records:
            clocks.note_written(batch.topic, batch.records, latest)
            if arrivals and batch.topic in clocks.joined:
                clocks.note_pace(prompt, clock)
        homes = partitions_of(keys, self._partition.count).tolist() if keys else []
        return Routed(batch.topic, kind, arrivals, keys, homes)


def _from_the_future(event: Event, ahead: float, most: float) -> str:
    return (
        f"time: {event.time.isoformat()} is {ahead / 3600:.1f} h after the record was written "
        f"to Kafka; at most {most / 3600:.1f} h are accepted (max_future)"
    )
