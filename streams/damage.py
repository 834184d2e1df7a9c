"""What could not be read of the inputs: the dead letter that stands for it, and what ``/health`` says of it for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from schemas.outputs import DeadLetter
from streams.deadletters import dead_letter, origin_of
from streams.fetching import Unreadable

log = logging.getLogger(__name__)

STAGE = "fetch"
"""Of these dead letters."""

TOLD_SECONDS = 600.0
"""Seconds for which ``/health`` names a batch that could not be read."""

MOST_TOLD = 20
"""Batches that it names at once: the latest."""

LAST_OFFSET_HEADER = "mirante-last-offset"
"""On a dead letter of this stage: up to where it goes, in decimal digits."""


class Damage:
    """Of one worker. ``source``: the Kafka cluster that the offsets belong to."""

    def __init__(self, source: str, now: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self._now = now
        self._told: dict[str, float] = {}

    def letter(self, batch: Unreadable) -> DeadLetter:
        """The dead letter of a batch: at its first offset, with its last one in reason and header, and its bytes as they are."""
        self._tell(str(batch))
        origin = origin_of(batch)
        origin.headers = [(LAST_OFFSET_HEADER, str(batch.last_offset).encode())]
        reason = f"offsets {batch.offset} to {batch.last_offset}: a batch that cannot be read: {batch.reason}"
        return dead_letter(origin, source=self.source, stage=STAGE, reason=reason)

    def problems(self) -> list[str]:
        """What could not be read lately, in the order in which it was met."""
        now = self._now()
        return [text for text, met in self._told.items() if now - met < TOLD_SECONDS]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            log.warning("dead letter: %s", text)
        told = {**self._told, text: self._now()}  # a new one: the thread of the pages may be reading
        while len(told) > MOST_TOLD:
            del told[next(iter(told))]
        self._told = told
