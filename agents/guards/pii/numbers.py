"""Personal data that are numbers: documents, telephones, cards, CEP.

Digits and separators are read as a chain of groups; every run of groups that has the length of a number is judged by its check digits, by
how it is grouped, and, where that leaves a doubt, by the words around it. One in a hundred random numbers has valid CPF check digits, one
in ten those of a PIS or of a card: a PIS without its own grouping, a CNH, and a título therefore also need their name nearby.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import luhn
from stdnum.br import cnpj, cpf
from stdnum.us import ssn

from agents.guards.pii.context import Context, context
from agents.guards.pii.digits import is_cnh, is_pis, is_titulo
from agents.guards.pii.span import Kind, Span

_CHAIN = re.compile(r"(?:\+ ?)?\(?[0-9]+(?:[ \t\r\n./()\-]{1,4}[0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
_PLUS = re.compile(r"\+ ?\(?$")
_MONEY = re.compile(r"(?:R\$|US\$|[$€£¥])\s*$")
_PERCENT_OR_CENTS = re.compile(r"%|,\d{1,2}(?!\d)|\.\d")
_ATTACHED_AFTER = re.compile(r"\w|[\-/]\w|\.\d")
_NAMED = re.compile(
    r"(?:cpf|cnpj|pis|nit|cnh|titulo|tel|fone|telefone|celular|phone|cel|whatsapp|zap|ssn|card|cartao|cep)_?$", re.IGNORECASE
)
_COMPACT_TIME = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$")
_STREET = re.compile(
    r"(?<!\w)(?:rua|avenida|av\.?|travessa|tv\.|alameda|al\.|rodovia|rod\.|pra[cç]a|estrada|largo|r\.)\s+[^\W\d_][^\n\d\0;:!?]{2,60}?"
    r"[, ]\s*"
    r"(?:n[o.º°]{0,2} ?|num\.? ?|número ?)?\d{1,5}(?!\d)",
    re.IGNORECASE,
)
_STREET_WORD = re.compile(
    r"(?<!\w)(?:rua|avenida|av\.?|travessa|alameda|rodovia|pra[cç]a|estrada|largo|bairro|cidade)(?!\w)", re.IGNORECASE
)
_STREET_REACH = 140

MAX_DIGITS = 19
_MAX_GROUPS = 12

_CARD_IIN = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01]|720)\d{12,13}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|606282\d{10}|(?:5067|5090|6277|6362|6363|5041)\d{12}"
)
_CARD_SHAPES = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (16,), (15,), (14,)})


class _Group(NamedTuple):
    start: int
    end: int
    digits: str


class _Number(NamedTuple):
    """A run of groups of a chain."""

    text: str
    groups: list[_Group]
    digits: str
    whole: bool
    """It is all of its chain."""

    @property
    def start(self) -> int:
        return self.groups[0].start

    @property
    def end(self) -> int:
        return self.groups[-1].end

    @property
    def shape(self) -> tuple[int, ...]:
        """Digits per group. Groups that only a line break separates were one."""
        sizes = [len(self.groups[0].digits)]
        for previous, group in zip(self.groups, self.groups[1:], strict=False):
            gap = self.text[previous.end : group.start]
            if gap.isspace() and "\n" in gap:
                sizes[-1] += len(group.digits)
            else:
                sizes.append(len(group.digits))
        return tuple(sizes)

    @property
    def raw_shape(self) -> tuple[int, ...]:
        return tuple(len(group.digits) for group in self.groups)

    def shaped(self, *shapes: tuple[int, ...]) -> bool:
        return self.raw_shape in shapes or self.shape in shapes

    @property
    def punctuated(self) -> bool:
        """A dot, dash, stroke or bracket stands between its groups."""
        return any(not self.text[a.end : b.start].isspace() for a, b in zip(self.groups, self.groups[1:], strict=False))

    @property
    def plus(self) -> bool:
        return bool(_PLUS.search(self.text, max(0, self.start - 3), self.start))

    @property
    def context(self) -> Context:
        return context(self.text, self.start, self.end)

    @property
    def attached(self) -> bool:
        """It is part of something longer: a word, an id, an amount, a fraction."""
        before = self.text[max(0, self.start - 12) : self.start]
        if before and (before[-1].isalpha() or before[-1] == "_") and not _NAMED.search(before):
            return True
        if len(before) > 1 and before[-1] in "-." and (before[-2].isalnum() if before[-1] == "-" else before[-2].isdigit()):
            return True
        return (
            bool(_MONEY.search(before))
            or bool(_ATTACHED_AFTER.match(self.text, self.end))
            or bool(_PERCENT_OR_CENTS.match(self.text, self.end))
        )


def numbers(text: str) -> Iterator[Span]:
    """The personal numbers of `text`, from left to right, none overlapping another."""
    for chain in _CHAIN.finditer(text):
        if chain.end() - chain.start() < 8:
            continue
        groups = [_Group(*match.span(), match.group()) for match in _GROUP.finditer(text, *chain.span())]
        first = 0
        while first < len(groups):
            found = _longest(text, groups, first)
            if found is None:
                first += 1
            else:
                span, used = found
                first += used
                yield span
                yield from _street(text, span)


def _longest(text: str, groups: list[_Group], first: int) -> tuple[Span, int] | None:
    """The span that begins with groups[first] and how many groups it takes; the longest, since a part of a number may look like another."""
    digits = ""
    runs: list[_Number] = []
    for last in range(first, min(len(groups), first + _MAX_GROUPS)):
        digits += groups[last].digits
        if len(digits) > MAX_DIGITS:
            break
        if len(digits) >= 8:
            runs.append(_Number(text, groups[first : last + 1], digits, first == 0 and last == len(groups) - 1))
    for number in reversed(runs):
        # After a plus it is a telephone if it can be one.
        found = (_phone(number) or _document(number)) if number.plus else (_document(number) or _phone(number))
        if found is not None:
            kind, value = found
            start = number.start
            while kind == "PHONE" and text[start - 1 : start] in ("(", "+") and start:
                start -= 1
            if kind == "PHONE" and text[start - 2 : start] == "+ ":
                start -= 2
            return Span(kind, start, number.end, value), len(number.groups)
    return None


def _document(number: _Number) -> tuple[Kind, str] | None:
    check = _BY_LENGTH.get(len(number.digits))
    return check(number) if check is not None else None


def _bare(number: _Number) -> bool:
    return len(number.groups) == 1


def _eleven(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    person, worker, driver = cpf.is_valid(digits) and digits != digits[0] * 11, is_pis(digits), is_cnh(digits)
    if not (person or worker or driver):
        return None
    if person and number.shaped((3, 3, 3, 2)) and number.punctuated:
        return "CPF", digits
    if worker and number.shaped((3, 5, 2, 1)) and number.punctuated:
        return "PIS", digits
    if number.attached:
        return None
    said = number.context
    if worker and said.kind == "PIS":
        return "PIS", digits
    if driver and said.kind == "CNH":
        return "CNH", digits
    if not person or (said.close and said.kind != "CPF"):
        return None
    if said.kind == "CPF" or number.shaped((3, 3, 3, 2), (9, 2)):
        return "CPF", digits
    if said.kind == "PHONE" and _brazilian(digits) is not None:
        return None
    return ("CPF", digits) if number.shaped((11,)) else None


def _fourteen(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    if cnpj.is_valid(digits):
        if number.shaped((2, 3, 3, 4, 2)) and number.punctuated:
            return "CNPJ", digits
        if not number.attached:
            said = number.context
            if said.kind == "CNPJ":
                return "CNPJ", digits
            if number.shaped((14,), (8, 4, 2), (12, 2), (2, 3, 3, 4, 2)) and not said.close and not _COMPACT_TIME.match(digits):
                return "CNPJ", digits
    return _card(number)


def _twelve(number: _Number) -> tuple[Kind, str] | None:
    if is_titulo(number.digits) and not number.attached:
        said = number.context
        if said.kind == "TITULO" or (number.shaped((4, 4, 4)) and number.whole and not said.other):
            return "TITULO", number.digits
    return None


def _card(number: _Number) -> tuple[Kind, str] | None:
    if _CARD_IIN.fullmatch(number.digits) and luhn.is_valid(number.digits) and not number.attached:
        said = number.context
        known = number.shaped(*_CARD_SHAPES) and (len(number.digits) < 17 or not _bare(number))
        if said.kind == "CARD" or (known and not said.close):
            return "CARD", number.digits
    return None


def _nine(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    if not ssn.is_valid(digits) or number.attached:
        return None
    said = number.context
    if said.kind == "SSN":
        return "SSN", digits
    shaped = number.raw_shape == (3, 2, 4) and {
        number.text[a.end : b.start] for a, b in zip(number.groups, number.groups[1:], strict=False)
    } == {"-"}
    return ("SSN", digits) if shaped and not said.close and said.kind != "PHONE" else None


def _eight(number: _Number) -> tuple[Kind, str] | None:
    if not number.shaped((5, 3), (8,), (2, 3, 3)) or number.attached or number.digits.startswith("000"):
        return None
    said = number.context
    if said.kind == "CEP" and (
        len(number.groups) > 1 or re.search(r"cep\W{0,4}$", number.text[max(0, number.start - 8) : number.start], re.IGNORECASE)
    ):
        return "CEP", number.digits
    if number.raw_shape == (5, 3) and not said.close:
        before = number.text[max(0, number.start - _STREET_REACH) : number.start].rpartition("\0")[2]
        if _STREET_WORD.search(before):
            return "CEP", number.digits
    return None


_BY_LENGTH = {8: _eight, 9: _nine, 11: _eleven, 12: _twelve, 14: _fourteen, 15: _card, 16: _card, 17: _card, 18: _card, 19: _card}

_NO_PERSON = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.UAN,
    }
)
_REGIONS = ("BR", "US", "PT", "GB")


def _valid(text: str, region: str | None) -> str | None:
    """The number in E.164 if it is a valid number of a subscriber in its country (or in `region`)."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed) or phonenumbers.number_type(parsed) in _NO_PERSON:
        return None
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164))


def _brazilian(digits: str) -> str | None:
    return _valid("+55" + digits, None)


def _phone(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    if len(digits) > 15:
        return None
    if number.plus:
        found = _valid("+" + digits, None)
        return ("PHONE", found) if found is not None else None
    if number.attached:
        return None
    found = _national(number, digits)
    return ("PHONE", found) if found is not None else None


def _national(number: _Number, digits: str) -> str | None:
    shape = number.shape
    brackets = number.text[number.start - 1 : number.start] == "(" and ")" in number.text[number.groups[0].end : number.groups[0].end + 1]
    # Brazil: 55 and area code, carrier prefix 0, or area code; the subscriber's part in its usual groups
    for lead in ("55", "0", ""):
        if not digits.startswith(lead):
            continue
        rest = digits[len(lead) :]
        if len(rest) not in (10, 11) or (len(rest) == 11 and rest[2] != "9"):
            continue
        if shape[-2:] in ((5, 4), (4, 4)) and (brackets or number.punctuated or len(shape) > 2):
            found = _brazilian(rest)
            if found is not None and (brackets or number.punctuated or len(rest) == 11) and not number.context.close:
                return found
    if brackets and len(digits) in (10, 11) and not number.context.close:
        found = _brazilian(digits) or (_valid("+1" + digits, None) if len(digits) == 10 else None)
        if found is not None:
            return found
    if shape in ((3, 3, 4), (1, 3, 3, 4)) and (number.punctuated or brackets) and (len(shape) == 3 or digits[0] == "1"):
        found = _valid("+1" + digits[-10:], None)
        if found is not None and not number.context.close:
            return found
    said = number.context
    if said.kind == "PHONE":
        if digits.startswith("00"):
            return _valid("+" + digits[2:], None)
        for region in _REGIONS:
            found = _valid(digits, region)
            if found is not None:
                return found
        if (
            len(digits) in (8, 9)
            and shape in ((4, 4), (5, 4), (1, 4, 4), (8,), (9,))
            and digits[0] in ("9" if len(digits) == 9 else "2345")
        ):
            return digits  # a Brazilian number without its area code
        return None
    # bare: a mobile number, unless it is called something else
    if _bare(number) and not said.other and said.kind is None:
        if len(digits) == 11 and digits[2] == "9":
            return _brazilian(digits)
        if len(digits) == 13 and digits.startswith("55") and digits[4] == "9":
            return _brazilian(digits[2:])
    return None


def _street(text: str, span: Span) -> Iterator[Span]:
    """The street and house number that a CEP belongs to."""
    if span.kind != "CEP":
        return
    begin = max(0, span.start - _STREET_REACH, text.rfind("\0", 0, span.start) + 1)
    streets = list(_STREET.finditer(text, begin, span.start))
    if streets:
        yield Span("STREET", *streets[-1].span(), " ".join(streets[-1].group().lower().split()))
