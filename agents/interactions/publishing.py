"""What a partition tells other agents once per checkpoint: partial sums that have changed, and how
far it is.

In: the sums and taps of the partition, and what all have said (gossip.py). Out: messages. Fails
never.
"""

from __future__ import annotations

import msgspec

from agents.common.taps import Head
from agents.interactions.gossip import Gossip
from agents.interactions.partition import Partition
from schemas.group_usage import UsagePart, UsageParts
from schemas.partials import WINDOW, Part, Parts
from streams.effects import Effects, OutgoingMessage
from streams.partitioner import partition_of

_encode_parts = msgspec.msgpack.Encoder().encode


class Publisher:
    """Of one partition."""

    def __init__(self, partition: Partition, gossip: Gossip) -> None:
        self.settled: tuple[int, ...] = (0,) * partition.count
        """Per family, the segment below which nothing changes any more."""
        self.announced: tuple[int, ...] = (0,) * partition.count
        """What others have been told of it."""
        self.told: tuple[int, bool] = (0, False)
        """See :meth:`agents.interactions.gossip.Gossip.told_up_to`."""
        self._partition = partition
        self._gossip = gossip
        self._listened = 0
        self._homes: dict[tuple[str, ...], int] = {}
        self._changed_parts: list[Part] = []
        self._changed_usages: list[UsagePart] = []

    @property
    def has_news(self) -> bool:
        """Whether others are to be told how far this partition is."""
        return self._gossip.told_up_to() != self.told

    def close_interval(self, effects: Effects) -> None:
        """A checkpoint is about to be taken."""
        self._publish(effects)
        self._gossip.say(effects)
        here = self._partition
        here.partials.forget(here.segments.is_settled)
        here.usages.forget(here.segments.is_settled, here.clocks.time())
        self.settled = tuple(map(max, self.settled, here.segments.close()))

    def _publish(self, effects: Effects) -> None:
        """Partial sums that have changed to where they are summed up; calls to who listens; to
        everybody, how far this partition is."""
        here, gossip = self._partition, self._gossip
        context, everybody = here.context, range(here.count)
        progress = gossip.told_up_to()
        announce = self.settled != self.announced or progress != self.told
        parts: dict[int, list[Part]] = {home: [] for home in everybody} if announce else {}
        for part in here.partials.take_dirty():
            self._changed_parts.append(part)
            parts.setdefault(self._home_of(part.series.feature_and_model), []).append(part)
        usages: dict[int, list[UsagePart]] = (
            {home: [] for home in everybody} if announce and context.rules else {}
        )
        for usage in here.usages.take_dirty():
            self._changed_usages.append(usage)
            usages.setdefault(self._home_of((usage.group.rule, *usage.group.values)), []).append(
                usage
            )
        # What is settled is durable since the last checkpoint, which carried it.
        self.announced, self.told = self.settled, progress
        head = Head(
            context.source, here.number, gossip.whole_calls.time, progress[1], gossip.whole.time
        )
        for home, changed in parts.items():
            message = Parts(
                head.source, head.partition, self.announced, head.clock, head.rests, changed
            )
            effects.messages.append(
                OutgoingMessage(context.topics.partials, home, None, _encode_parts(message))
            )
        for home, used in usages.items():
            told = UsageParts(
                head.source, head.partition, self.announced, head.clock, head.rests, used
            )
            effects.messages.append(OutgoingMessage(context.topics.usage, home, None, _encode_parts(told)))
        listened = int(head.complete) // WINDOW
        announce, self._listened = announce or listened != self._listened, listened
        for tap in here.taps:
            tap.close(head, announce, effects)

    def _home_of(self, key: tuple[str, ...]) -> int:
        """The partition where the sums of a series or group come together."""
        home = self._homes.get(key)
        if home is None:
            if len(self._homes) >= 4 * self._partition.context.settings.series_cap:
                self._homes.clear()
            home = self._homes[key] = partition_of("\x1f".join(key).encode(), self._partition.count)
        return home

    def take_changes(self) -> tuple[list[Part], list[UsagePart]]:
        """Sums that were published since the last call."""
        parts, usages = self._changed_parts, self._changed_usages
        self._changed_parts, self._changed_usages = [], []
        return parts, usages

    def load(
        self, settled: tuple[int, ...], announced: tuple[int, ...], told: tuple[int, bool]
    ) -> None:
        """Restore what others know of this partition."""
        self.settled = tuple(map(max, self.settled, settled))
        self.announced = tuple(map(max, self.announced, announced))
        self.told = told
