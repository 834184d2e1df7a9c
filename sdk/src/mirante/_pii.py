"""Personal data and secrets in text, found by form and check digits. Small and quick; the server,
which looks again at what is stored, finds more kinds. The tags are the server's."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from stdnum import iban, luhn
from stdnum.br import cnpj, cpf

KINDS = ("CPF", "CNPJ", "CARD", "EMAIL", "PHONE", "IBAN", "SECRET")


class Span(NamedTuple):
    """Personal data at ``text[start:end]``."""

    kind: str
    start: int
    end: int


_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:(?:proj|svcacct|admin|ant|or|lf)-[\w\-]{16,}|[A-Za-z0-9]{20,})"
    r"|A[KS]IA[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w\-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9\-]{10,}|AIza[\w\-]{35}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|npm_[A-Za-z0-9]{36}"
    r"|SG\.[\w\-]{16,}\.[\w\-]{16,}|ya29\.[\w\-]{20,}"
    r"|eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{6,})"
)
_SECRET_MARKS = re.compile(
    r"sk-|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox|AIza"
    r"|[sr]k_|hf_|gsk_|npm_|SG\.|ya29|eyJ"
)
_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY-----")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s]*")
_EMAIL = re.compile(
    r"(?<![\w.%+\-])[\w%+\-](?:[\w.%+'\-]{0,62}[\w%+\-])?@"
    r"(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24}(?![\w\-])"
)
_CNPJ = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?\d{2}(?![0-9A-Za-z])"
)
_CPF = re.compile(r"(?<![\w.\-/])\d{3}[. ]?\d{3}[. ]?\d{3}[-. /]?\d{2}(?![\w])(?![.\-/]\d)")
_CARD = re.compile(r"(?<![\w.\-])\d(?:[ \-.]?\d){12,18}(?![\w])(?![.\-]\d)")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}"
    r"(?:[ \-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_PHONE = re.compile(
    r"(?<![\w+.\-/])(?:"
    r"\+[1-9]\d{0,2}[ \-.]?(?:\(?\d{1,4}\)?[ \-.]?){1,4}\d{3,4}"  # international
    r"|(?:0?\(?[1-9][1-9]\)?[ \-.]?)9\d{4}[ \-.]?\d{4}"  # Brazilian mobile
    r"|\([1-9][1-9]\) ?[2-5]\d{3}[ \-.]?\d{4}"  # Brazilian landline, area in brackets
    r"|\(\d{3}\) ?\d{3}[ \-.]\d{4}"  # North American
    r")(?![\w])(?![.\-/]\d)"
)
_APART = r"(?:(?![,;:|]\s)[\s.,/\-_:·•*|'()+]){0,3}"
_GAP = (
    r"(?:[^\w]|_|(?:n|no|nº|nr|numero|número|number|is|are|é|e|do|da|de|meu|minha|my|o|a|the|cpf|cnpj"
    r"|credit|debit|crédito|débito|credito|debito)(?!\w)){0,12}"
)


def _run(*lengths: int) -> str:
    runs = (rf"[0-9](?:{_APART}[0-9]){{{length - 1}}}" for length in lengths)
    return f"(?:{'|'.join(runs)})(?![0-9])"


_CALLED = re.compile(
    rf"(?<![A-Za-z])(?:(?:cpf|cnpj)s?{_GAP}(?:(?P<CPF>{_run(11)})|(?P<CNPJ>{_run(14)}))"
    rf"|(?:card|cart[aã]o){_GAP}(?P<CARD>{_run(16, 15, 14, 19, 13)}))",
    re.IGNORECASE,
)
"""Called so by the text: such a number is one, though a check digit is mistyped."""
_CARD_STARTS = ("4", "5", "2", "34", "37", "36", "38", "30", "6")
_DIGIT = re.compile(r"\d")
_NOT_DIGITS = re.compile(r"\D")


def find(text: str) -> list[Span]:
    """Spans in order of position, none overlapping another."""
    taken: list[Span] = []  # by position
    for span in _candidates(text):
        place = bisect_left(taken, span.start, key=_start)
        before, after = taken[place - 1 : place], taken[place : place + 1]
        if all(b.end <= span.start for b in before) and all(span.end <= a.start for a in after):
            taken.insert(place, span)
    return taken


def _start(span: Span) -> int:
    return span.start


def mask(text: str, kinds: frozenset[str] | None = None) -> tuple[str, dict[str, int]]:
    """The text with tags such as ``<CPF>`` in place of what was found, and how many of each
    kind."""
    spans = find(text)
    if kinds is not None:
        spans = [span for span in spans if span.kind in kinds]
    if not spans:
        return text, {}
    counts: dict[str, int] = {}
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += (text[position : span.start], f"<{span.kind}>")
        position = span.end
        counts[span.kind] = counts.get(span.kind, 0) + 1
    parts.append(text[position:])
    return "".join(parts), counts


def _private_keys(text: str) -> Iterator[Span]:
    """From BEGIN to the next END, without one as far as it looks like a key. In one pass: a text
    may hold thousands of beginnings."""
    position, ends = 0, True
    while begin := _BEGIN.search(text, position):
        end = _END.search(text, begin.end()) if ends else None
        ends = end is not None
        body = end or _KEY_BODY.match(text, begin.end())
        position = body.end() if body else begin.end()
        yield Span("SECRET", begin.start(), position)


def _candidates(text: str) -> Iterator[Span]:
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    if _SECRET_MARKS.search(text):
        for match in _SECRET.finditer(text):
            yield Span("SECRET", *match.span())
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Span("EMAIL", *match.span())
    if not _DIGIT.search(text):
        return
    for match in _IBAN.finditer(text):
        if iban.is_valid(match.group(), check_country=False):
            yield Span("IBAN", *match.span())
    for match in _CNPJ.finditer(text):
        if cnpj.is_valid(match.group()):
            yield Span("CNPJ", *match.span())
    for match in _CARD.finditer(text):
        digits = _NOT_DIGITS.sub("", match.group())
        if digits.startswith(_CARD_STARTS) and len(set(digits)) > 1 and luhn.is_valid(digits):
            yield Span("CARD", *match.span())
    for match in _CPF.finditer(text):
        if cpf.is_valid(match.group().replace(" ", "").replace("/", "")):
            yield Span("CPF", *match.span())
    for match in _CALLED.finditer(text):
        kind = str(match.lastgroup)
        yield Span(kind, *match.span(kind))
    for match in _PHONE.finditer(text):
        if 10 <= len(_NOT_DIGITS.sub("", match.group())) <= 15:
            yield Span("PHONE", *match.span())
