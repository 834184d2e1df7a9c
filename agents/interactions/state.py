"""Stage 1: what one partition knows, and what each event does to it.

Every event goes one way: it is read (reading.py, or rekeyed.py if another partition has forwarded
it), matched (matching.py), judged (judging.py), priced (pricing.py) and written (writing.py), with
the values of steps.py in between. All of it is plain computation: bytes in,
:class:`streams.effects.Effects` out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.interactions.completing import Completion
from agents.interactions.context import Context
from agents.interactions.expiry import Expiry
from agents.interactions.gossip import Gossip
from agents.interactions.inquiries import Inquiries
from agents.interactions.judging import Judge
from agents.interactions.matching import Matcher
from agents.interactions.partition import Partition
from agents.interactions.pricing import Pricer
from agents.interactions.publishing import Publisher
from agents.interactions.reading import Reader
from agents.interactions.rekeyed import RekeyedReader, read_origin
from agents.interactions.repeats import Repeats
from agents.interactions.saved import Persistence
from agents.interactions.steps import Matched
from agents.interactions.unanswered import Unanswered
from agents.interactions.whereabouts import Whereabouts
from agents.interactions.writing import Writer
from streams.deadletters import Origin, origin_of
from streams.effects import Effects
from streams.in_hand import InHand
from streams.state import Batch


class InteractionsState:
    """State of the agent ``interactions`` for one partition (see
    :class:`streams.state.PartitionState`)."""

    def __init__(self, number: int, context: Context) -> None:
        self._rekeyed = context.topics.rekeyed
        self._partition = partition = Partition(number, context)
        self._gossip = gossip = Gossip(partition)
        self._whereabouts = whereabouts = Whereabouts(partition)
        self._inquiries = inquiries = Inquiries(partition, gossip, whereabouts)
        self._publisher = publisher = Publisher(partition, gossip)
        self._persistence = Persistence(partition, gossip, publisher, whereabouts)
        unanswered = Unanswered(partition)
        self._expiry = Expiry(partition, gossip, inquiries, whereabouts, unanswered)
        self._reader = Reader(partition)
        self._rekeyed_reader = RekeyedReader(partition, gossip, inquiries, whereabouts)
        repeats = Repeats(partition)
        completion = Completion(partition, repeats, unanswered)
        self._matcher = Matcher(partition, whereabouts, repeats, completion, self._expiry)
        self._judge = Judge(partition, unanswered)
        self._pricer = Pricer(partition, unanswered)
        self._writer = Writer(partition, unanswered)

    @property
    def in_hand(self) -> InHand:
        """What is worked on at this moment; set by who makes the state."""
        return self._partition.in_hand

    @in_hand.setter
    def in_hand(self, hand: InHand) -> None:
        """For who makes the state."""
        self._partition.in_hand = hand

    # PartitionState

    def apply(self, batch: Batch, effects: Effects) -> None:
        if batch.topic == self._rekeyed:
            # Each to its end before the next one: such a batch is of all kinds.
            for record in batch.records:
                arrival = self._rekeyed_reader.read_rekeyed(record, effects)
                if arrival is not None:
                    self._finish(self._matcher.match_rekeyed(arrival, effects), effects)
        else:
            routed = self._reader.read_batch(batch, effects)
            self._finish(self._matcher.match_batch(routed, effects), effects)
            self._gossip.stir()
        self._partition.clocks.silent.pop(batch.topic, None)
        self.in_hand.record = None
        self._expiry.pass_time(effects)

    def _finish(self, matched: Matched, effects: Effects) -> None:
        """Each step for all calls before the next one."""
        self.in_hand.record = None  # all at once
        judged = self._judge.judge_calls(matched.calls, effects)
        priced = self._pricer.price_calls(judged, effects)
        self._writer.write_calls(priced, matched.signals, effects)

    def tick(self, now: float, silent: Mapping[str, float], effects: Effects) -> bool:
        before = self._sizes(effects)
        self._partition.clocks.tick(now, silent, effects)
        self._expiry.pass_time(effects)
        self._gossip.tick(now)
        self._inquiries.tick(now, effects)
        has_news = self._gossip.has_news or self._publisher.has_news
        return has_news or self._inquiries.pending or before != self._sizes(effects)

    def _sizes(self, effects: Effects) -> tuple[int, int, int, int]:
        join = self._partition.join
        return len(join.requests), len(join.responses), effects.row_count, len(effects.messages)

    def ahead(self) -> frozenset[str]:
        return self._partition.clocks.ahead()

    def close_interval(self, effects: Effects) -> None:
        self._inquiries.answer(effects)
        self._publisher.close_interval(effects)

    def changes(self) -> bytes | None:
        return self._persistence.changes()

    def snapshot(self) -> Iterator[bytes]:
        return self._persistence.snapshot()

    def load(self, piece: bytes) -> None:
        self._persistence.load(piece)

    def waiting(self) -> int:
        """Requests without an answer, answers without a request, and one while not everybody has
        confirmed to have read what was written."""
        join = self._partition.join
        return len(join.requests) - join.unanswered + len(join.responses) + self._gossip.is_unconfirmed

    def gauges(self) -> Mapping[str, float]:
        here = self._partition
        return {
            "open_requests": len(here.join.requests) - here.join.unanswered,
            "late_answer_candidates": here.join.unanswered,
            "late_requests": len(here.late),
            "waiting_responses": len(here.join.responses),
            "seen_ids": len(here.identity.seen),
            "window_parts": len(here.partials),
            "series": here.partials.series,
            "usage_parts": len(here.usages),
            "unconfirmed": float(self._gossip.is_unconfirmed),
        }

    # Buries

    def origin(self, record: Any) -> Origin:
        """Of a re-keyed record, the event as it was read."""
        return read_origin(record) if record.topic == self._rekeyed else origin_of(record)
