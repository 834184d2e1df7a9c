"""Text in the plain form the detectors read: ASCII digits, dashes and spaces, full-width letters narrowed, invisible characters removed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

LAST_WITH_LETTERS = 0x323AF
"""The code points behind it are nobody's letters (Unicode 15), and so many that they are not kept in tables."""

_ESCAPE = re.compile(r"\\[nrt]")


class Folded(NamedTuple):
    text: str
    positions: Sequence[int] | None
    """Index in the original text of each character, and of the end; None if nothing was removed."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original text the part from ``start`` to ``end`` of the folded one lies."""
        if self.positions is None:
            return start, end
        return self.positions[start], self.positions[end - 1] + 1


class _Table(dict[int, str | None]):
    """What becomes of a character beyond ASCII; None removes it. Filled as characters are met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        folded: str | None = character
        category = unicodedata.category(character)
        if code < 0x80:
            pass
        elif category == "Nd":
            folded = str(unicodedata.decimal(character))
        elif category == "Pd" or code in (0x2212, 0x2043):
            folded = "-"
        elif category in ("Zs", "Zl", "Zp"):
            folded = " "
        elif category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            folded = None
        elif category != "No":  # superscripts are exponents
            narrow = unicodedata.normalize("NFKC", character)
            if len(narrow) == 1:
                folded = narrow
        if code <= LAST_WITH_LETTERS:
            self[code] = folded
        return folded


_table = _Table()


def fold(text: str) -> Folded:
    """`text` with one character for one, except that invisible ones are gone. An escaped line break (JSON in text) becomes two spaces."""
    positions: list[int] | None = None
    folded = text
    if not text.isascii():
        folded = text.translate(_table)
        if len(folded) != len(text):
            positions = [index for index, character in enumerate(text) if _table[ord(character)] is not None]
    if "\\" in folded:
        folded = _ESCAPE.sub("  ", folded)
    return Folded(folded, positions)
