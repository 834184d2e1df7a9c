"""What the partitions of a worker share in stage 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time as wall_clock

from agents.common.taps import Tap
from agents.inspection.masking import Masking
from agents.interactions.usages import Grouping
from agents.pricing import PriceBook
from schemas.partials import SETTLE
from streams.settings import Settings
from streams.topics import Topics


@dataclass(frozen=True)
class Context:
    """What the partitions of a worker share.

    ``source``: the Kafka cluster the offsets belong to. ``counted_from``: for a backfill, the
    offset of the first request that counts, per partition. ``taps``: make, for a partition, what
    tells other agents of each call. ``settle``: seconds after its window in which a call is
    expected to end (agents/interactions/parts.py).
    """

    settings: Settings
    topics: Topics
    prices: PriceBook
    source: str
    rules: Grouping
    masking: Masking
    counted_from: tuple[int, ...] = ()
    taps: tuple[Callable[[], Tap], ...] = ()
    wall: Callable[[], float] = wall_clock
    """Epoch seconds. Asked only of what a topic ends with: a Kafka time that has not come yet is
    none."""
    settle: float = SETTLE
