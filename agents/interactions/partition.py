"""What one partition of stage 1 holds. Its steps share this, and each changes what its docstring
says."""

from __future__ import annotations

from agents.interactions.clocks import Clocks
from agents.interactions.context import Context
from agents.interactions.identity import Identity
from agents.interactions.join import Join
from agents.interactions.late import LateRequests
from agents.interactions.outbox import Outbox
from agents.interactions.partials import Partials
from agents.interactions.patience import Patience
from agents.interactions.segments import Segments
from agents.interactions.strays import Strays
from agents.interactions.sums import SeriesSums
from agents.interactions.usages import Usages
from streams.in_hand import InHand


class Partition:
    """The tables of partition ``number``, its clocks, and what it sends. No step is in here."""

    def __init__(self, number: int, context: Context) -> None:
        settings = context.settings
        self.number = number
        self.count = settings.partitions
        self.context = context
        self.in_hand = InHand()
        self.clocks = Clocks(context)
        self.outbox = Outbox(context)
        self.patience = Patience(settings.join, context.wall)
        self.join = Join()
        self.strays = Strays(self.join.responses)
        self.late = LateRequests(settings.join.late_bytes, settings.join.max_open)
        self.identity = Identity(settings.dedup_window)
        self.segments = Segments(
            settings.segment_requests,
            settings.partitions,
            number,
            self.identity.seen,
            context.counted_from,
        )
        self.partials = Partials(settings.series_cap)
        self.usages = Usages(context.rules)
        self.sums = SeriesSums(
            self.partials, self.usages, context.rules, context.settle, settings.join.grace
        )
        self.taps = [new() for new in context.taps]
        """What tells other agents of each call."""
