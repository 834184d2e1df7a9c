"""Parts of the last minutes by group, for rate limits and loops. A part is dropped by its age alone: no segments here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec

from agents.budgets.ledger import CARRY, Key, key_of, values_of
from agents.budgets.windows import BUCKET
from agents.common.watermark import Source
from schemas.group_usage import Caller, GroupUsage


class PartOrigin(NamedTuple):
    """Where a part came from."""

    window: int
    segment: int
    source: Source
    counted: int = 0


class Lap(NamedTuple):
    """What one part says of a group."""

    version: int
    requests: int
    tokens: int
    picodollars: int
    signatures: tuple[tuple[int, int], ...]
    examples: tuple[str, ...]
    callers: tuple[tuple[Caller, int], ...] = ()
    dearest: int = 0
    """Picodollars of the dearest call."""


class SavedLap(msgspec.Struct, array_like=True, gc=False):
    """A part as it is saved; ``money``: million dollars and picodollars, because MessagePack holds 64 bits."""

    rule: str
    values: tuple[str, ...]
    window: int
    segment: int
    source: Source
    version: int
    requests: int
    tokens: int
    money: tuple[int, int]
    signatures: tuple[tuple[int, int], ...]
    examples: tuple[str, ...]
    counted: int = 0
    callers: tuple[tuple[Caller, int], ...] = ()
    dearest: tuple[int, int] = (0, 0)


def lap_of(usage: GroupUsage) -> Lap:
    """What is remembered of the usage of one window part."""
    signatures, examples = tuple(usage.signatures.items()), tuple(identity for _, identity in usage.examples)
    dearest = round(max((usd for usd, _ in usage.examples), default=0.0) * 1e12)
    return Lap(
        usage.version, usage.requests, usage.tokens, usage.picodollars, signatures, examples, tuple(usage.callers.items()), dearest
    )


class Recent:
    """For one rule: per group the parts of the last ``span`` seconds before the clock, and all after it.

    A group that has used nothing for ``pause`` seconds is forgotten.
    """

    def __init__(self, rule: str, span: int, pause: int) -> None:
        self._rule = rule
        self._span = span
        self._pause = pause
        self._groups: dict[Key, dict[PartOrigin, Lap]] = {}
        self._changed: dict[tuple[Key, PartOrigin], Lap] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def put(self, key: Key, origin: PartOrigin, lap: Lap, now: int) -> bool:
        """Take a part. False: it says nothing new, or is too old."""
        if origin.window + BUCKET <= now - self._span:
            return False
        parts = self._groups.get(key)
        if parts is None:
            parts = self._groups[key] = {}
        elif (known := parts.get(origin)) is not None and known.version >= lap.version:
            return False
        parts[origin] = self._changed[key, origin] = lap
        return True

    def laps(self, key: Key, now: int) -> list[tuple[int, Lap]]:
        """A group's parts since its last pause with the start of their windows."""
        parts = self._groups.get(key, {})
        first = now - self._span - BUCKET
        if self._pause < self._span:  # what `advance` has not yet forgotten counts no more than what it has
            windows = sorted({origin.window for origin in parts})
            first = max([first, *(end for end, start in pairwise(windows) if start - end > self._pause)])
        return [(origin.window, lap) for origin, lap in parts.items() if origin.window > first]

    def used(self, key: Key, now: int, amount: Callable[[Lap], int]) -> list[tuple[int, int]]:
        """(window, amount) of a group, ascending."""
        sums: defaultdict[int, int] = defaultdict(int)
        for window, lap in self.laps(key, now):
            sums[window] += amount(lap)
        return sorted(sums.items())

    def advance(self, before: int, now: int) -> None:
        """The clock went from ``before`` to ``now``: drop what is older than the span, and groups that pause. Now and then is enough."""
        every = max(min(self._span // 6, self._pause // 2), BUCKET)
        if before // every == now // every:
            return
        first, last = now - self._span - BUCKET, now - self._pause - BUCKET
        for key in [k for k, parts in self._groups.items() if all(origin.window <= last for origin in parts)]:
            del self._groups[key]
        for key in [k for k, parts in self._groups.items() if any(origin.window <= first for origin in parts)]:
            parts = {origin: lap for origin, lap in self._groups[key].items() if origin.window > first}
            if parts:
                self._groups[key] = parts
            else:
                del self._groups[key]

    # Persistence

    def take_changes(self) -> list[SavedLap]:
        """The laps that changed since the last call."""
        changed, self._changed = self._changed, {}
        return [self._saved(key, origin, lap) for (key, origin), lap in changed.items()]

    def all(self) -> Iterator[SavedLap]:
        """All laps, as the changelog holds them."""
        for key, parts in self._groups.items():
            for origin, lap in parts.items():
                yield self._saved(key, origin, lap)

    def load(self, saved: SavedLap, now: int) -> None:
        origin = PartOrigin(saved.window, saved.segment, Source(*saved.source), saved.counted)
        money = saved.money[0] * CARRY + saved.money[1]
        dearest = saved.dearest[0] * CARRY + saved.dearest[1]
        lap = Lap(saved.version, saved.requests, saved.tokens, money, saved.signatures, saved.examples, saved.callers, dearest)
        self.put(key_of(saved.values), origin, lap, now)

    def loaded(self, now: int) -> None:
        """A piece is loaded. If it was before, it has brought back groups that pause."""
        last = now - self._pause - BUCKET
        for key in {key for key, _ in self._changed}:
            if all(origin.window <= last for origin in self._groups.get(key, ())):
                self._groups.pop(key, None)
        self._changed.clear()

    def _saved(self, key: Key, origin: PartOrigin, lap: Lap) -> SavedLap:
        return SavedLap(
            self._rule, values_of(key), origin.window, origin.segment, origin.source, lap.version, lap.requests, lap.tokens,
            divmod(lap.picodollars, CARRY), lap.signatures, lap.examples, origin.counted, lap.callers,
            divmod(lap.dearest, CARRY),
        )  # fmt: skip
