"""What each budget's groups have used, exactly, whatever the order, repetition and lateness of the parts.

A part is absolute. While its segment can still change it is kept, so that a newer one can replace it; what a group has used is kept as a
:data:`~agents.budgets.windows.History`, so memory is per group and not per part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from agents.budgets.rules import Rule
from agents.budgets.windows import BUCKET, History
from agents.common.watermark import Source
from schemas.partials import ALONE

CARRY = 10**18
"""Amounts are saved in two numbers because MessagePack holds 64 bits."""

EMPTY: History = (0,)
_LONG = 121
"""Length of a history from which on it is worth while to make it shorter."""

Key = str | tuple[str, ...]
"""The values of a group; a single one stands for itself, which saves memory."""

PartKey = tuple[str, Key, int, int]
"""Rule, group, window, ``counted``."""

AMOUNT: Mapping[str, Callable[[Any], int]] = {
    "usd": attrgetter("picodollars"),
    "tokens": attrgetter("tokens"),
    "requests": attrgetter("requests"),
}
"""What a limit of a unit counts, of a Usage or of what was kept of one."""


class SavedPart(msgspec.Struct, array_like=True, gc=False):
    """A part as far as a budget needs it."""

    source: Source
    segment: int
    rule: str
    values: tuple[str, ...]
    window: int
    version: int
    amount: tuple[int, int]
    counted: int = 0


class SavedGroup(msgspec.Struct, array_like=True, gc=False):
    """What a group has used in a budget's window that begins at ``start``."""

    rule: str
    values: tuple[str, ...]
    start: int
    history: list[tuple[int, int]]


class Ledger:
    """Sums of all budgets of one partition."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._settled: dict[Source, tuple[int, ...]] = {}
        self._resettled: set[Source] = set()
        self._live: dict[Source, dict[int, dict[PartKey, tuple[int, int]]]] = {}
        self.windows: dict[str, dict[int, dict[Key, History]]] = {identity: {} for identity in rules}
        """Rule -> start of the window -> group -> what it used."""
        self._changed: dict[tuple[Source, int, PartKey], tuple[int, int]] = {}

    def put(
        self, source: Source, segment: int, rule: Rule, key: Key, window: int, version: int, amount: int, now: int, counted: int = 0
    ) -> History | None:
        """Count a part, if it says more than is known; returns what its group has used in the part's window.

        None: nothing has changed. ``now``: the clock, for what it has left is not kept.
        """
        identity = rule.id
        start = rule.window.bounds(window)[0]
        if self._is_settled(source, segment) or _is_over(rule, window, now):
            return None
        segments = self._live.get(source)
        if segments is None:
            segments = self._live[source] = {}
        live = segments.get(segment)
        if live is None:
            live = segments[segment] = {}
        part = identity, key, window, counted
        old = live.get(part)
        if old is not None:
            if old[0] >= version:
                return None
            added = amount - old[1]
        else:
            added = amount
        live[part] = version, amount
        self._changed[source, segment, part] = version, amount
        windows = self.windows[identity]
        groups = windows.get(start)
        if groups is None:
            groups = windows[start] = {}
        history = groups.get(key, EMPTY)
        if added:
            history = rule.resolution.add(history, window, added, now)
            if len(history) > _LONG:
                history = rule.resolution.fold(history, now)
        groups[key] = history
        return history

    def settle(self, source: Source, settled: tuple[int, ...]) -> None:
        """Below ``settled``, per family, no segment of a source changes any more: forget its parts; their sums stay."""
        known = self._settled.get(source, settled)
        settled = tuple(map(max, known, settled))  # a repeated message, or one from a process that has lost its partition, says less
        if self._settled.get(source) == settled:
            return
        self._settled[source] = settled
        self._resettled.add(source)
        segments = self._live.get(source, {})
        for segment in [s for s in segments if self._is_settled(source, s)]:
            del segments[segment]

    def _is_settled(self, source: Source, segment: int) -> bool:
        settled = self._settled.get(source)
        return settled is not None and segment < ALONE and segment < settled[segment % len(settled)]

    def advance(self, before: int, now: int) -> None:
        """The clock went from ``before`` to ``now``: forget windows that are over, and groups idle for longer than a rolling one."""
        for identity, windows in self.windows.items():
            rule = self._rules[identity]
            if not rule.window.rolling:
                for start in [s for s in windows if rule.window.bounds(s)[1] <= now]:
                    del windows[start]
            elif (groups := windows.get(0)) is not None:
                self._forget_idle(rule, groups, before, now)
        for segments in self._live.values():
            for segment in [s for s, live in segments.items() if s >= ALONE and self._is_over(live, now)]:
                del segments[segment]

    def _is_over(self, live: Mapping[PartKey, object], now: int) -> bool:
        return all((rule := self._rules.get(identity)) is None or _is_over(rule, window, now) for identity, _, window, _ in live)

    def _forget_idle(self, rule: Rule, groups: dict[Key, History], before: int, now: int) -> None:
        every = max(rule.window.seconds // 60, BUCKET)  # looking at every group costs time
        if before // every == now // every:
            return
        for key in [k for k, history in groups.items() if len(rule.resolution.fold(history, now)) == 1]:
            del groups[key]

    def __len__(self) -> int:
        return sum(len(groups) for windows in self.windows.values() for groups in windows.values())

    @property
    def parts(self) -> int:
        """How many parts are held."""
        return sum(len(live) for segments in self._live.values() for live in segments.values())

    # Persistence

    def take_changes(self) -> list[SavedPart]:
        """Parts that came since the last call."""
        changed, self._changed = self._changed, {}
        return [_saved(source, segment, part, known) for (source, segment, part), known in changed.items()]

    def all_parts(self) -> Iterator[SavedPart]:
        """All parts of segments that may still change, as the changelog holds them."""
        for source, segments in self._live.items():
            for segment, live in segments.items():
                for part, known in live.items():
                    yield _saved(source, segment, part, known)

    def all_groups(self) -> Iterator[SavedGroup]:
        """The sums of all groups, as the changelog holds them."""
        for identity, windows in self.windows.items():
            for start, groups in windows.items():
                for key, history in groups.items():
                    yield SavedGroup(identity, values_of(key), start, [divmod(number, CARRY) for number in history])

    def load_group(self, saved: SavedGroup) -> None:
        """Set what a group has used, its live parts included."""
        if saved.rule in self.windows:
            history = tuple(carried * CARRY + rest for carried, rest in saved.history)
            self.windows[saved.rule].setdefault(saved.start, {})[key_of(saved.values)] = history

    def load_part(self, saved: SavedPart, now: int, *, counted: bool) -> None:
        """A part that was saved; ``counted``: its group's sum, saved too, holds it already."""
        if (rule := self._rules.get(saved.rule)) is None:
            return
        key, amount = key_of(saved.values), saved.amount[0] * CARRY + saved.amount[1]
        if counted:
            if self._is_settled(Source(*saved.source), saved.segment):
                return
            live = self._live.setdefault(Source(*saved.source), {}).setdefault(saved.segment, {})
            live[saved.rule, key, saved.window, saved.counted] = saved.version, amount
        else:
            self.put(Source(*saved.source), saved.segment, rule, key, saved.window, saved.version, amount, now, saved.counted)

    def take_settled(self) -> list[tuple[Source, tuple[int, ...]]]:
        """Sources that settled segments since the last call."""
        resettled, self._resettled = self._resettled, set()
        return [(source, self._settled[source]) for source in sorted(resettled)]

    def all_settled(self) -> list[tuple[Source, tuple[int, ...]]]:
        """Per source, in order: of each family the segment below which nothing changes any more."""
        return sorted(self._settled.items())

    def forget_changes(self) -> None:
        """What was loaded need not be saved again."""
        self._changed.clear()
        self._resettled.clear()


def key_of(values: tuple[str, ...]) -> Key:
    """The key of a group's values; a single one stands for itself, which takes less memory."""
    return values[0] if len(values) == 1 else values


def values_of(key: Key) -> tuple[str, ...]:
    """The values of a group's key: the inverse of :func:`key_of`."""
    return (key,) if isinstance(key, str) else key


def _is_over(rule: Rule, window: int, now: int) -> bool:
    """Whether what was used in a part's window counts no more."""
    return rule.window.bounds(window)[1] <= now or (rule.window.rolling and window <= now - rule.window.seconds)


def _saved(source: Source, segment: int, part: PartKey, known: tuple[int, int]) -> SavedPart:
    identity, key, window, counted = part
    return SavedPart(source, segment, identity, values_of(key), window, known[0], divmod(known[1], CARRY), counted)
