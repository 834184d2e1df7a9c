"""Text in plainer forms, one for each kind of reader.

Detectors of personal data need one character for one, with the way back (:func:`fold`), or one
letter for one (``LETTERS``); classifiers of n-grams need ASCII (:func:`in_ascii`); whoever compares
words needs them without accents (:func:`without_accents`, :func:`folded_words`); whoever looks for
attacks needs them without a disguise (:func:`unmasked`). The rails of the SDK fold for themselves:
it is installed without Mirante.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from agents.inspection.scan import Scanner

_LAST_WITH_LETTERS = 0x323AF
"""The code points behind it are nobody's letters (Unicode 15), and so many that they are not kept
in tables."""

_ESCAPE = re.compile(r"\\[nrt]")
_MARKS = re.compile("[\u0300-\u036f]")


class Folding(dict[int, str | None]):
    """A table for ``str.translate``: what ``left`` makes of a character, None of one that is
    removed. Filled as characters are met.

    One after the other, because normalization of a whole text sorts its accents, which takes the
    square of the time if there are many on one letter.
    """

    def __init__(self, left: Callable[[str], str | None]) -> None:
        super().__init__()
        self._left = left

    def __missing__(self, code: int) -> str | None:
        left = self._left(chr(code))
        if code <= _LAST_WITH_LETTERS:
            self[code] = left
        return left


def in_ascii(text: str) -> str:
    """What Unicode's compatibility decomposition (NFKD, UAX 15) leaves of ``text`` in ASCII:
    letters in disguise (full width, mathematical) are resolved, accents and all other characters
    are gone."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def without_accents(text: str) -> str:
    """``text`` without combining marks, those of composed characters included."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def folded_words(text: str) -> str:
    """``text`` as words are compared: no case, no accents of Latin, Greek and Cyrillic letters, no
    letters in disguise."""
    text = text.casefold()
    return text if text.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", text))


def _letter(character: str) -> str:
    parts = unicodedata.normalize("NFD", character).lower()
    return "" if unicodedata.combining(character) else parts[:1] if parts[:1].isascii() else "?"


LETTERS: Final = Folding(_letter)
"""One letter for one, lower case and without accent, ``?`` for one beyond ASCII; nothing for a
combining mark."""


class Folded(NamedTuple):
    """What :func:`fold` made of a text."""

    text: str
    positions: Sequence[int] | None
    """Index in the original text of each character, and of the end; None if nothing was removed."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the original."""
        if self.positions is None:
            return start, end
        return self.positions[start], self.positions[end - 1] + 1


def _plain(character: str) -> str | None:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character in "\u2212\u2043":
        return "-"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return None
    narrow = unicodedata.normalize("NFKC", character)
    # Superscripts are exponents.
    return narrow if len(narrow) == 1 and category != "No" else character


_table: Final = Folding(_plain)


def fold(text: str) -> Folded:
    """`text` as the detectors of personal data read it: ASCII digits, dashes and spaces, full-width
    letters narrowed.

    One character for one, except that invisible ones are gone. An escaped line break (JSON in text)
    becomes two spaces.
    """
    positions: list[int] | None = None
    folded = text
    if not text.isascii():
        folded = text.translate(_table)
        if len(folded) != len(text):
            positions = [
                index for index, character in enumerate(text) if _table[ord(character)] is not None
            ]
    if "\\" in folded:
        folded = _ESCAPE.sub("  ", folded)
    return Folded(folded, positions)


_LOOK_ALIKES: Final = str.maketrans(
    "авеіјкмнорсѕтухһԁԛԝАВЕІЈКМНОРСЅТУХαεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧɑɡıℓ",
    "abeijkmhopcstyxhdqwABEIJKMHOPCSTYXaeikvoptuxABEZHIKMNOPTYXagil",
)
"""Letters of other scripts that look like Latin ones (the commonest of Unicode's confusables,
UTS 39)."""
_LEET_LETTER: Final = re.compile(r"[013457@$](?<=[A-Za-z].)(?=[A-Za-z])")
_LEET_WORD: Final = re.compile(r"[A-Za-z0-9@$]{3,24}")
_LEET: Final = str.maketrans("013457@$", "oieastas")
_SPACED: Final = re.compile(
    r"(?<![A-Za-z])(?:[A-Za-z][ .*_-]){4}(?:[A-Za-z][ .*_-])*[A-Za-z](?![A-Za-z])"
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_LEET_HINT, _SPACED_HINT, _BASE64_HINT = range(3)
_hints: Final = Scanner(
    [
        rb"[A-Za-z][013457@$][A-Za-z]",
        rb"[ .*_-][A-Za-z][ .*_-][A-Za-z][ .*_-][A-Za-z][ .*_-]",
        rb"[A-Za-z0-9+/]{24}",
    ],
    once=True,
)
"""By which one sees in a tenth of the time that a text has no disguise."""
_ENCODED: Final = 4
"""Pieces of base64 that are decoded."""
_ENCODED_CHARACTERS: Final = 2_000
_PRINTED: Final = 0.95
"""Share of letters, digits and common marks in what was text before it was encoded."""


def unmasked(text: str) -> str:
    """``text`` as a model would read through a disguise: look-alike letters, digits for letters
    (``1gn0re``) and spaced letters are resolved, and what was text in base64 is added on lines of
    its own. Text without any is returned as it is; takes time in proportion to its length."""
    written = text
    if not text.isascii():
        text = text.translate(_LOOK_ALIKES)
    hints: set[int] = set()
    _hints.finds(text.encode("utf-8", "surrogatepass"), _noted, hints)
    if not hints:
        return text
    decoded = _decoded(written) if _BASE64_HINT in hints else []
    if _LEET_HINT in hints:
        text = _LEET_WORD.sub(_without_leet, text)
    if _SPACED_HINT in hints:
        text = _SPACED.sub(lambda match: re.sub(r"[ .*_-]", "", match[0]), text)
    return "\n".join((text, *decoded)) if decoded else text


def _noted(hint: int, start: int, end: int, flags: int, hints: set[int]) -> bool:
    hints.add(hint)
    return False


def _without_leet(match: re.Match[str]) -> str:
    word = match[0]
    letters = word.translate(_LEET)
    return letters if letters.isalpha() and _LEET_LETTER.search(word) else word


def _decoded(text: str) -> list[str]:
    found: list[str] = []
    for number, match in enumerate(_BASE64.finditer(text)):
        if number == _ENCODED:
            break
        encoded = match[0][:_ENCODED_CHARACTERS].rstrip("=")
        try:
            data = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            continue  # most long runs of letters are names, keys and digests
        if " " in data and sum(c.isalnum() or c in " .,:;!?'-" for c in data) >= _PRINTED * len(
            data
        ):
            found.append(data)
    return found
