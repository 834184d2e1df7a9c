"""Usage of a history, which waits until the clock has passed it and is then counted step by step, in the order of event time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agents.common.watermark import Source
from schemas.group_usage import Group, UsagePart

FRESH = 60.0
"""Seconds between usage and the word of it up to which it is counted at once: it is what happens now."""

MOST = 200_000
"""Parts that wait; beyond it the earliest are counted before their time."""

PartKey = tuple[Group, int, Source, int]
"""Group, window, source, segment: the order within a step."""

Step = tuple[int, list[tuple[Source, UsagePart]]]


class UsageInbox:
    """Of one partition, by step: the 10 s in which usage counts (:attr:`UsagePart.judged`). Of each part the newest version."""

    def __init__(self) -> None:
        self._steps: dict[int, dict[PartKey, tuple[Source, UsagePart]]] = {}
        self._parts = 0
        self._new: dict[tuple[int, PartKey], None] = {}

    def __len__(self) -> int:
        return self._parts

    def put(self, source: Source, part: UsagePart) -> None:
        """Keep a part until its step is counted, unless one that holds more input is here."""
        step, key = part.judged, (part.group, part.window, source, part.segment)
        held = self._steps.setdefault(step, {})
        if (known := held.get(key)) is not None and known[1].usage.version >= part.usage.version:
            return
        self._parts += known is None
        held[key] = source, part
        self._new[step, key] = None

    def take(self, end: float) -> Iterator[Step]:
        """The steps that begin before ``end``, and the earliest beyond it while more wait than may."""
        for step in sorted(self._steps):
            if step >= end and self._parts <= MOST:
                return
            held = self._steps.pop(step)
            self._parts -= len(held)
            yield step, [held[key] for key in sorted(held)]

    def unsettled(self, source: Source, settled: tuple[int, ...]) -> tuple[int, ...]:
        """Of what a source says is settled, what is so here: not the segments of which parts wait."""
        least = list(settled)
        for held in self._steps.values():
            for of, part in held.values():
                if of == source:
                    family = part.segment % len(least)
                    least[family] = min(least[family], part.segment)
        return tuple(least)

    # Persistence

    def take_changes(self) -> list[tuple[Source, UsagePart]]:
        """What came since the last call and still waits."""
        new, self._new = self._new, {}
        return [item for step, key in new if (item := self._steps.get(step, {}).get(key)) is not None]

    def all(self) -> Iterator[tuple[Source, UsagePart]]:
        """Everything that waits, with its source."""
        for held in self._steps.values():
            yield from held.values()

    def load(self, parts: Iterable[tuple[Source, UsagePart]], counted: int) -> None:
        """Restore what the above returned; steps before ``counted`` have been counted since."""
        for source, part in parts:
            self.put(Source(*source), part)
        for step in [step for step in self._steps if step < counted]:
            self._parts -= len(self._steps.pop(step))
        self._new.clear()
