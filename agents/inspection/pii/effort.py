"""How much may be spent on judging texts, so that no text can hold up a worker.

What takes one pass of an automaton or of a regular expression is linear and not counted. What is looked at more closely (the words around
a number, its country, its check digits) is counted in units of a few microseconds, and not by the clock: a replay must judge alike.
"""

from __future__ import annotations

PER_CHARACTER = 0.15
AT_LEAST = 15_000.0
"""What may be spent on texts of less than 100 kB together: some 600 telephones, or 250 numbers that are called something."""


class Effort:
    """What is left for texts of `size` characters together."""

    def __init__(self, size: int) -> None:
        self.left = max(AT_LEAST, PER_CHARACTER * size)

    def spend(self, units: float) -> None:
        """Take units of work from what is left; it may become negative."""
        self.left -= units

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0.0
