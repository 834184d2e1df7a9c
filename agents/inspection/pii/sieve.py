"""Where in a text personal numbers can begin.

Few groups of digits are judged one by one. In a table there are ten thousand, and each begins several runs that are as long as a number
is. So what needs no judgement is computed of all of them at once, in arrays: how many digits a run has, where its groups end, its check
digits, and whether a word that could name it is near. What is left out is never a number; what is not is judged as ever (`numbers`).
"""

# mypy: disable-error-code="no-any-return"
# For mypy a comparison of arrays is Any.

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.inspection.folding import LETTERS
from agents.inspection.scan import Scanner

CHAIN = re.compile(r"(?:\+ ?)?\(?[0-9]+(?:[ \t\r\n./()\-]{1,4}[0-9]+)*")
"""Digits and what may separate the groups of a number."""
GROUP = re.compile(r"[0-9]+")
FEWEST_DIGITS = 8
MOST_DIGITS = 19
MOST_GROUPS = 12

_ANY = (1 << MOST_DIGITS + 1) - 1
_FEW = 64
"""Groups up to which judging all is cheaper than arrays."""
_FEW_CHAINS = 4 * _FEW
_SHORTEST_CHAIN = 8
_BLOCK = 16_384
"""Groups that are looked at together: their arrays stay in the processor's cache."""

_CUES = (
    "cpf", "cadastro", "cnpj", "pis", "pasep", "nit", "nis", "cnh", "habilita", "carteira", "driv", "titulo",
    "voter", "tel", "fone", "celul", "cel", "whats", "zap", "phone", "mobile", "call", "ligue", "liga",
    "contat", "contact", "sms", "fax", "text", "reach", "card", "cartao", "cartoes", "visa", "amex",
    "credito", "debito", "pan", "ssn", "social", "cep", "endereco", "moro", "entrega", "address",
)  # fmt: skip
"""How each word begins that says what a number is (`context`), or that it may be one (in camel case a word may be cut)."""
_CUE_BEFORE, _CUE_AFTER = 48, 110
"""Characters from the beginning of a number; behind it, its own length included."""
_STREETS = ("rua", "avenida", "av", "travessa", "alameda", "rodovia", "praca", "estrada", "largo", "bairro", "cidade")
_STREET_BEFORE = 140

_cues = Scanner([word.encode() for word in _CUES])
_streets = Scanner([word.encode() for word in _STREETS])

Bits = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]


class DigitGroup(NamedTuple):
    """A group of digits that may begin a number: where it begins, whether its chain does, where the chain ends, and how many digits the
    number may have (bit n for n of them)."""

    start: int
    first: bool
    end: int
    lengths: int


def places(text: str) -> Sequence[DigitGroup]:
    """Where numbers may begin in `text` (folded), from left to right."""
    found: list[DigitGroup] = []
    for count, chain in enumerate(CHAIN.finditer(text)):
        if count > _FEW_CHAINS:
            return _of_many(text)
        if chain.end() - chain.start() >= _SHORTEST_CHAIN:
            first, end = True, chain.end()
            for group in GROUP.finditer(text, chain.start(), end):
                found.append(DigitGroup(group.start(), first, end, _ANY))
                first = False
                if len(found) > _FEW:
                    return _of_many(text)
    return found


def _of_many(text: str) -> list[DigitGroup]:
    groups = _Groups(text)
    lengths = groups.lengths()
    at = np.flatnonzero(lengths)
    begins = groups.start[at]
    chained = groups.begins_chain[begins].tolist()
    return list(map(DigitGroup, groups.position[begins].tolist(), chained, groups.chain_end(at).tolist(), lengths[at].tolist()))


class _Groups:
    """All groups of digits in a text. Arrays are by digit of the text, but for those named by group (`start` is one)."""

    def __init__(self, text: str) -> None:
        data = np.frombuffer(text.encode("ascii", "replace"), np.uint8)  # one byte for each character
        self.data = data
        self.position = position = np.flatnonzero((data >= 48) & (data <= 57)).astype(np.int32)
        self.count = len(position)
        gap = np.diff(position, prepend=np.int32(-10)) - 1
        begins = gap > 0
        begins[0] = True
        separators = _sums(np.isin(data, np.frombuffer(b" \t\r\n./()-", np.uint8)))
        blanks = _sums(np.isin(data, np.frombuffer(b" \t\r\n", np.uint8)))
        lines = _sums(data == 10)
        before = position - np.maximum(gap, 0)
        linked = begins & (gap <= 4) & (separators[position] - separators[before] == gap)
        linked[0] = False
        all_blank = blanks[position] - blanks[before] == gap
        self.begins_chain = begins & ~linked
        self.chain = _padded(self.begins_chain, 0)
        self.group = _padded(begins, 1 << 30)
        self.begins = np.concatenate((begins, np.ones(MOST_DIGITS + 1, np.bool_)))
        """A group begins at the digit: one before it has ended."""
        self.punctuation = _padded(linked & ~all_blank, 0)
        self.apart = _padded(begins & ~(linked & all_blank & (lines[position] > lines[before])), 0)
        """Groups that only a line break separates were one; this counts those that were not."""
        self.start = np.flatnonzero(begins)
        self.digit = np.concatenate((data[position].astype(np.int16) - 48, np.zeros(MOST_DIGITS + 1, np.int16)))
        first = np.append(np.flatnonzero(self.begins_chain), self.count)
        behind = np.append(self.start, np.full(MOST_GROUPS, self.count))[MOST_GROUPS:]
        self.most = np.minimum(first[self.chain[self.start]], behind) - self.start
        """By group, digits of the longest run that begins there: to the end of its chain, and of the twelfth group."""
        plain = _Plain(text)
        self.cues = self._near(plain.ends(_cues), _CUE_BEFORE, _CUE_AFTER)
        self.streets = self._near(plain.ends(_streets), _STREET_BEFORE, 0)
        self.plus, self.bracket = self._signs()

    def chain_end(self, at: npt.NDArray[np.integer[Any]]) -> Numbers:
        """Of groups, where in the text their chain ends."""
        first = np.append(np.flatnonzero(self.begins_chain), self.count)
        return self.position[first[self.chain[self.start[at]]] - 1] + 1

    def lengths(self) -> Numbers:
        """By group, how many digits a number that begins there may have: bits."""
        blocks = [_Block(self, slice(first, first + _BLOCK)).lengths() for first in range(0, len(self.start), _BLOCK)]
        return np.concatenate(blocks)

    def _signs(self) -> tuple[Bits, Bits]:
        """Whether a plus stands before a group, and whether it stands in brackets."""
        at = self.position[self.start]
        one, two, three = (np.where(at >= back, self.data[np.maximum(at - back, 0)], 0) for back in (1, 2, 3))
        ends = self.position[np.append(self.start[1:], self.count) - 1] + 1
        closed = np.where(ends < len(self.data), self.data[np.minimum(ends, len(self.data) - 1)], 0) == ord(")")
        return (one == ord("+")) | (two == ord("+")) | (three == ord("+")), (one == ord("(")) & closed

    def _near(self, ends: Numbers, before: int, after: int) -> Bits:
        """Whether one of `ends` is near a group, from so many characters before its beginning to so many behind."""
        at = self.position[self.start]
        return np.searchsorted(ends, at + after, "right") > np.searchsorted(ends, at - before, "left")


class _Block:
    """Some of the groups. Offsets are in digits from where a group begins; nothing is computed twice of one offset."""

    def __init__(self, groups: _Groups, which: slice) -> None:
        self._groups = groups
        self._start = groups.start[which]
        self._most = groups.most[which]
        self._always = groups.plus[which] | groups.cues[which]
        self._streets = groups.streets[which]
        self._bracket = groups.bracket[which]
        self._chain_begins = groups.begins_chain[self._start]
        self._d = cache(partial(self._from, groups.digit))
        self._begins = cache(partial(self._from, groups.begins))
        self._apart = cache(partial(self._from, groups.apart))
        self._group = cache(partial(self._from, groups.group))
        self._marks = cache(partial(self._from, groups.punctuation))

    def _from(self, values: npt.NDArray[Any], offset: int) -> npt.NDArray[Any]:
        return values[self._start + offset]

    def lengths(self) -> Numbers:
        found = np.zeros(len(self._start), np.int32)
        for length in range(FEWEST_DIGITS, MOST_DIGITS + 1):
            run = (self._most >= length) & self._begins(length)
            if run.any():
                found |= (run & (self._always | self._unnamed(length))).astype(np.int32) << length
        return found

    def _unnamed(self, length: int) -> Bits:
        """Whether such a run may be a number without being called one: as `numbers` has it, but for what surrounds it."""
        match length:
            case 8:
                return self._written(5, 3) & self._streets
            case 9:
                return self._written(3, 2, 4) & self._dash(3) & self._dash(5)
            case 10:
                return self._bracket | self._brazilian(0, 10) | self._american(0)
            case 11:
                cpf = self._cpf() & (self._shaped(3, 3, 3, 2) | self._shaped(9, 2) | self._shaped(11))
                pis = self._shaped(3, 5, 2, 1) & self._punctuated(11)
                bare = self._bare(11) & (self._d(2) == 9)
                one = (self._d(0) == 1) & self._american(1)
                return cpf | pis | bare | self._bracket | one | self._brazilian(0, 11) | self._brazilian(1, 10)
            case 12:
                titulo = self._shaped(4, 4, 4) & self._chain_begins & self._ends_chain(12)
                return titulo | self._brazilian(1, 11) | self._brazilian(2, 10)
            case 13:
                bare = self._bare(13) & (self._d(0) == 5) & (self._d(1) == 5) & (self._d(4) == 9)
                return bare | self._brazilian(2, 11)
            case 14:
                shaped = self._shaped(14) | self._shaped(8, 4, 2) | self._shaped(12, 2) | self._shaped(2, 3, 3, 4, 2)
                return (shaped & self._cnpj()) | self._card(14, self._shaped(4, 6, 4))
            case 15:
                return self._card(15, self._shaped(4, 6, 5))
            case 16:
                return self._card(16, self._shaped(4, 4, 4, 4))
            case 19:
                return self._card(19, self._shaped(4, 4, 4, 4, 3))
        return np.zeros(len(self._start), np.bool_)

    def _split(self, first: int, last: int) -> Numbers:
        """How many groups begin behind the digit at an offset, up to the one at another; those that only a line break separates do not."""
        return self._apart(last) - self._apart(first)

    def _shaped(self, *sizes: int) -> Bits:
        """Whether a run has groups of these sizes, as they are written or with those joined that only a line break separates."""
        *cuts, length = accumulate(sizes)
        joined = self._split(0, length - 1) == len(cuts)
        for cut in cuts:
            joined &= self._split(cut - 1, cut) == 1
        return joined | self._written(*sizes)

    def _written(self, *sizes: int) -> Bits:
        *cuts, length = accumulate(sizes)
        found = self._group(length - 1) - self._group(0) == len(cuts)
        for cut in cuts:
            found &= self._begins(cut)
        return found

    def _dash(self, offset: int) -> Bits:
        """Whether a dash stands before the digit at an offset."""
        digit = np.minimum(self._start + offset, self._groups.count - 1)
        return self._groups.data[self._groups.position[digit] - 1] == ord("-")

    def _bare(self, length: int) -> Bits:
        return self._group(length - 1) == self._group(0)

    def _punctuated(self, length: int) -> Bits:
        return self._marks(length - 1) > self._marks(0)

    def _ends_chain(self, length: int) -> Bits:
        behind = self._start + length
        return (behind >= self._groups.count) | self._groups.begins_chain[np.minimum(behind, self._groups.count - 1)]

    def _brazilian(self, lead: int, length: int) -> Bits:
        """A telephone behind a lead of none, one (0) or two digits (55), its subscriber's part in groups of four or five and four."""
        total = lead + length
        found = (self._split(total - 5, total - 4) == 1) & (self._split(total - 4, total - 1) == 0) & (self._d(lead + 1) > 0)
        four = (self._split(total - 9, total - 8) == 1) & (self._split(total - 8, total - 5) == 0)
        five = (self._split(total - 10, total - 9) == 1) & (self._split(total - 9, total - 5) == 0)
        found &= four | five
        if lead:
            found &= (self._d(0) == 0) if lead == 1 else ((self._d(0) == 5) & (self._d(1) == 5))
        if length == 11:  # an area code that begins with 0 has a prefix in it
            return found & (self._d(lead + 2) == 9)
        return found & (self._d(lead) > 0) & (self._bracket | self._punctuated(total))

    def _american(self, lead: int) -> Bits:
        """Three, three and four digits."""
        found = self._shaped(1, 3, 3, 4) if lead else self._shaped(3, 3, 4)
        found &= (self._d(lead) > 1) & (self._d(lead + 3) > 1)
        return found & (self._bracket | self._punctuated(lead + 10))

    def _cpf(self) -> Bits:
        alike = np.logical_and.reduce([self._d(0) == self._d(offset) for offset in range(1, 11)])
        return ~alike & self._check(9, range(10, 1, -1)) & self._check(10, range(11, 1, -1))

    def _cnpj(self) -> Bits:
        return self._check(12, (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) & self._check(13, (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))

    def _check(self, offset: int, weights: Sequence[int]) -> Bits:
        rest = np.zeros(len(self._start), np.int16)
        for index, weight in enumerate(weights):
            rest += self._d(index) * np.int16(weight)
        rest %= 11
        right: Bits = self._d(offset) == np.where(rest < 2, 0, 11 - rest)
        return right

    def _card(self, length: int, grouped: Bits) -> Bits:
        found = (grouped | self._shaped(length)) & (self._d(0) >= 2) & (self._d(0) <= 6)
        if not found.any():
            return found
        total = np.zeros(len(self._start), np.int16)
        for offset in range(length):
            digit = self._d(offset)
            total += digit if (length - offset) % 2 else np.where(digit > 4, 2 * digit - 9, 2 * digit)
        return found & (total % 10 == 0)


def _sums(bits: Bits) -> Numbers:
    """How many there are before each position."""
    sums = np.zeros(len(bits) + 1, np.int32)
    np.cumsum(bits, out=sums[1:])
    return sums


def _padded(bits: Bits, value: int) -> Numbers:
    """How many there are up to each position, and `value` behind the last."""
    sums = np.full(len(bits) + MOST_DIGITS + 1, value, np.int32)
    np.cumsum(bits, out=sums[: len(bits)])
    return sums


class _Plain:
    """A text in lower case and without accents, for scanners."""

    def __init__(self, text: str) -> None:
        plain = text.lower() if text.isascii() else text.translate(LETTERS)
        self._bytes = plain.encode()
        self._kept: Numbers | None = None
        if len(plain) != len(text):  # combining marks are gone
            codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
            gone = [code for code in np.unique(codes).tolist() if not LETTERS[code]]
            self._kept = np.append(np.flatnonzero(~np.isin(codes, gone)), len(text)).astype(np.int32)

    def ends(self, words: Scanner) -> Numbers:
        """Where words end in the text."""
        found: list[int] = []
        words.finds(self._bytes, _append, found)
        ends = np.unique(np.array(found, np.int32))
        return ends if self._kept is None else self._kept[ends - 1] + 1


def _append(pattern: int, start: int, end: int, flags: int, found: list[int]) -> bool:
    found.append(end)
    return False
