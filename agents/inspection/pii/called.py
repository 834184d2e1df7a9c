"""Numbers that the text calls what they are: "CPF: 529,982,247-99".

What a person calls a CPF, a CNPJ, a card or an RG is one, though a check digit is mistyped or its separators are odd. Only what stands
right behind the name (or before it, in brackets) is called so: signs and small words may be between, nothing else. The search goes
from name to name, and looks a bounded way from each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from agents.inspection.pii.digits import is_cnpj, is_cpf, is_luhn
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.span import Kind, PiiSpan

_LOOK, _READ = 0.1, 3.0
"""Effort: for a name, and for a number beside it."""

_SEPARATOR = r"(?:(?![,;:|]\s)[\s.,/\-_:·•*|'’()+\\]){0,3}"
"""A comma with a blank separates numbers, not their digits. Never what is found or masked already."""
GAP = re.compile(
    r"(?:[^\w\0]|_|(?:n|no|nr|nro|num|numero|número|number|e|é|eh|is|are|was|foi|era|of|de|do|da|dos|das|o|a|os|the|my|meu|minha|seu|sua"
    r"|his|her|your|id|mf|code|codigo|código|cliente|titular|customer|client|holder|user|credit|debit|credito|crédito|debito|débito"
    r"|visa|mastercard|amex|elo|cpf|cnpj|rg|novo|nova|new|empresa|fornecedor|loja|matriz|filial|pessoa|company|supplier|store|antigo|antiga|old|certo|correto|correct|dele|dela|with|com|es|ist|lautet)(?!\w)){0,12}",
    re.IGNORECASE,
)
_AND = re.compile(r"\s{0,2}(?:[,;/&]|e|ou|and|or)\s{1,2}", re.IGNORECASE)
_MORE = re.compile(_SEPARATOR + "[0-9]")
_DATE = re.compile(r"\d{1,2}([\-/.])\d{1,2}\1(?:19|20)\d\d(?!\d)|(?:19|20)\d\d([\-/.])\d\d\2\d\d(?!\d)")
_BRACKET = re.compile(r"\s?[(\[]\s?(?:my |meu |o |a )?\Z", re.IGNORECASE)
_BEGIN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]")
_LONGEST_BRACKET, _REACH_BACK = 8, 48
_DIGIT = re.compile("[0-9]")
_REACH = 160
"""Characters behind a name within which the first digit of what is called so must be: a gap of twelve words has at most 120."""


def _digits(least: int, most: int | None = None) -> str:
    return rf"[0-9](?:{_SEPARATOR}[0-9]){{{least - 1},{(most or least) - 1}}}"


_end = attrgetter("end")


class _Form(NamedTuple):
    """How a number is written. ``valid``: whether its check digits say so."""

    kind: Kind
    pattern: re.Pattern[str]
    valid: Callable[[str], bool]


def _form(kind: Kind, pattern: str, valid: Callable[[str], bool] = lambda number: False) -> _Form:
    return _Form(kind, re.compile(pattern), valid)


_S = r"[^\w\0]{0,3}_?"
_CPF = _form("CPF", _digits(11) + r"(?![0-9])", is_cpf)
_CNPJ = _form("CNPJ", _digits(14) + r"(?![0-9])", is_cnpj)
_LETTERED = _form(
    "CNPJ",
    r"(?=(?:[^0-9]{0,24}[0-9]){4})" + _S.join(rf"[0-9A-Za-z]{{{size}}}" for size in (2, 3, 3, 4)) + _S + r"[0-9]{2}(?![0-9A-Za-z])",
)
"""In use since July 2026. It has more digits than the two check digits, so words alone are none."""
_CARDS = tuple(_form("CARD", _digits(length) + r"(?![0-9])", is_luhn) for length in (16, 15, 14, 19, 13, 18, 17, 12))
_RG = _form("RG", rf"(?:[A-Za-z]{{2}}[ \-/]{{0,2}})?{_digits(7, 10)}(?:[ .\-/]{{0,3}}[Xx])?(?![0-9A-Za-z])")

_Names = tuple[str, re.Pattern[str], Sequence[_Form]]
_CALLED: Sequence[_Names] = (
    ("cpf", re.compile(r"cpfs?(?![a-z])", re.IGNORECASE), (_CPF, _CNPJ, _LETTERED)),
    ("c.p.f", re.compile(r"c\.p\.f(?![a-z])", re.IGNORECASE), (_CPF,)),
    ("cnpj", re.compile(r"cnpjs?(?![a-z])", re.IGNORECASE), (_CNPJ, _LETTERED, _CPF)),
    ("c.n.p.j", re.compile(r"c\.n\.p\.j(?![a-z])", re.IGNORECASE), (_CNPJ, _LETTERED)),
    ("rg", re.compile(r"(?:(?<![A-Za-z])(?i:rg)|(?<=[a-z])(?:Rg|RG))(?![A-Za-z])"), (_RG,)),
    ("registro geral", re.compile(r"registro geral(?![a-z])", re.IGNORECASE), (_RG,)),
    ("identidade", re.compile(r"(?<![a-z])identidade(?![a-z])", re.IGNORECASE), (_RG,)),
    ("cart", re.compile(r"(?:(?<![A-Za-z])(?i:c)|(?<=[a-z])C)(?i:art(?:ão|ao|a\u0303o|ões|oes))(?![A-Za-z])"), _CARDS),
    ("card", re.compile(r"(?:(?<![A-Za-z])(?i:c)|(?<=[a-z])C)(?i:ards?)(?![A-Za-z])"), _CARDS),
    ("visa", re.compile(r"(?<![a-z])visa(?![a-z])", re.IGNORECASE), _CARDS),
    ("mastercard", re.compile(r"(?<![a-z])mastercard(?![a-z])", re.IGNORECASE), _CARDS),
    ("amex", re.compile(r"(?<![a-z])amex(?![a-z])", re.IGNORECASE), _CARDS),
)
"""A word to seek, the whole name, and the forms that what is called so may have, the likely ones first."""


def called(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """The numbers of `text` that are called CPF, CNPJ, RG or card, until the effort is spent."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter became two
        lower = "".join(small if len(small := character.lower()) == 1 else character for character in text)
    for word, name, forms in _CALLED:
        start, digit = lower.find(word), -1
        while start >= 0:
            if effort.spent:
                return
            if (found := name.match(text, start)) is not None:
                effort.spend(_LOOK)
                end = found.end()
                if digit < end:
                    near = _DIGIT.search(text, end)
                    digit = len(text) + _REACH if near is None else near.start()
                if digit - end <= _REACH:
                    yield from _behind(text, end, forms, effort)
                yield from _before(text, start, forms, effort)
            start = lower.find(word, start + len(word))


def _behind(text: str, end: int, forms: Sequence[_Form], effort: Effort) -> Iterator[PiiSpan]:
    """What stands right behind a name that ends at text[end], and what is listed with it."""
    gap = GAP.match(text, end)
    position = gap.end() if gap is not None else end
    while (span := _number(text, position, len(text), forms, effort)) is not None:
        yield span
        more = _AND.match(text, span.end)
        if more is None:
            return
        position = more.end()


def _before(text: str, start: int, forms: Sequence[_Form], effort: Effort) -> Iterator[PiiSpan]:
    """What stands right before a name in brackets."""
    near = text[max(0, start - _LONGEST_BRACKET) : start]
    if "(" not in near and "[" not in near:
        return
    bracket = _BRACKET.search(text, max(0, start - _LONGEST_BRACKET), start)
    if bracket is None:
        return
    end = bracket.start()
    for begin in _BEGIN.finditer(text, max(0, end - _REACH_BACK), end):
        span = _number(text, begin.start(), end, forms, effort)
        if span is not None and span.end == end:
            yield span
            return


def _number(text: str, start: int, end: int, forms: Sequence[_Form], effort: Effort) -> PiiSpan | None:
    """The number that begins at text[start] and does not go beyond `end`.

    The first form holds, unless more digits follow on it: then one with valid check digits, or else the longest."""
    if not text[start : start + 1].isalnum() or _DATE.match(text, start) is not None:
        return None
    effort.spend(_READ)
    spans: list[PiiSpan] = []
    for kind, pattern, valid in forms:
        if (match := pattern.match(text, start, end)) is not None:
            number = "".join(filter(str.isalnum, match.group())).upper()
            span = PiiSpan(kind, start, match.end(), number)
            if spans and not _MORE.match(text, spans[0].end, end):
                break
            if valid(number):
                return span
            spans.append(span)
    if not spans:
        return None
    return max(spans, key=_end) if _MORE.match(text, spans[0].end, end) else spans[0]
