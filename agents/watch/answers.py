"""Where answers belong, so that a score given to one finds its series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agents.watch.told import AnsweredCall, WatchPlace

REMEMBERED = 86_400
"""Seconds for which a score finds the answer it was given to,"""
MOST = 100_000
"""and answers that are remembered: the latest ones."""
_MINUTE = 60


class Answers:
    """Of one partition. What is known at the end of an interval depends on what was said until
    then, not on how it was cut into batches."""

    def __init__(self) -> None:
        self._known: dict[int, AnsweredCall] = {}
        self._minutes: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def all(self) -> Iterable[AnsweredCall]:
        """As they came."""
        return self._known.values()

    def hold(self, answer: AnsweredCall) -> bool:
        """Remember an answer; of two with one id the earlier. Returns whether it is news."""
        known = self._known.get(answer.id)
        if known is not None and (known.time, known.places) <= (answer.time, answer.places):
            return False
        self._known[answer.id] = answer
        self._minutes.setdefault(int(answer.time // _MINUTE), []).append(answer.id)
        return True

    def places(self, answer: int, end: float) -> Sequence[WatchPlace]:
        """Where scores of an answer count that was given before ``end`` (epoch seconds)."""
        known = self._known.get(answer)
        return known.places if known is not None and known.time < end else ()

    def forget(self, end: float) -> None:
        """Those of the minutes before ``end`` that are too old, or too many."""
        past = sorted(minute for minute in self._minutes if (minute + 1) * _MINUTE <= end)
        left = sum(len(self._minutes[minute]) for minute in past)
        for minute in past:
            if left <= MOST and (minute + 1) * _MINUTE > end - REMEMBERED:
                break
            answers = self._minutes.pop(minute)
            left -= len(answers)
            for answer in answers:
                known = self._known.get(answer)
                if known is not None and known.time // _MINUTE == minute:
                    del self._known[answer]
