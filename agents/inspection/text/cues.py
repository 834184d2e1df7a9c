"""Words by which one sees, in a tenth of the time, whether it is worth while to score a text.

A cascade as of Viola and Jones ("Rapid object detection using a boosted cascade of simple
features", CVPR 2001): hardly a text of the positive class is without such words, and most others
are.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from agents.inspection.scan import Scanner
from agents.inspection.text.plain import spaced

__all__ = ["Cues", "Needed", "cues_of"]

_STEP: Final = 100
"""Characters."""


class Needed(NamedTuple):
    """How many different cues a text must have: ``least`` up to ``short`` characters, one more for
    each hundred beyond, ``more`` more at most. The longer a text, the more of them it has by
    chance."""

    least: int
    short: int
    more: int

    def of(self, characters: int) -> int:
        """For a text of so many characters."""
        return self.least + min(max(0, characters - self.short) // _STEP, self.more)


def cues_of(text: str) -> set[str]:
    """The words of ``text``, and its pairs of words with no more than one mark between."""
    found = spaced(text).decode().replace("  ", " ").split(" ")
    return {*found, *(f"{a} {b}" for a, b in pairwise(found) if a and b)} - {""}


def _at_once(cue: int, start: int, end: int, flags: int, context: object) -> bool:
    return True


class Cues:
    """Some of the words and pairs that :func:`cues_of` finds, looked for in one pass."""

    def __init__(self, cues: Iterable[str], needed: Needed) -> None:
        self._needed = needed
        # a pattern for each number of blanks: ten times as fast as to make one of two in every text
        written = sorted(
            {(f" {cue.replace(' ', blank)} ".encode(), cue) for cue in cues for blank in (" ", "  ")}
        )
        self._written = [cue for _, cue in written]
        self._scanner = Scanner([pattern for pattern, _ in written], once=True)

    def met(self, text: str) -> bool:
        """Whether ``text`` has as many different ones as it needs."""
        least = self._needed.of(len(text))
        if least == 1:
            return self._scanner.finds(spaced(text), _at_once, None)
        found: set[str] = set()

        def enough(number: int, start: int, end: int, flags: int, context: object) -> bool:
            found.add(self._written[number])
            return len(found) >= least

        return self._scanner.finds(spaced(text), enough, None)
