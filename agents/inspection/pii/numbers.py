"""Personal data that are numbers: documents, telephones, cards, CEP.

Digits and separators are read as a chain of groups; every run of groups that has the length of a number is judged by its check digits, by
how it is grouped, and, where that leaves a doubt, by the words around it. In a long text `sieve` first says where that is worth while. One
in a hundred random numbers has valid CPF check digits, one in ten those of a PIS or of a card: a PIS without its own grouping, a CNH, and a
título therefore also need their name nearby.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType
from stdnum.us import ssn

from agents.inspection.pii.context import BLANK, Before, WordContext, around, before, called_telephone
from agents.inspection.pii.digits import is_cnh, is_cnpj, is_cpf, is_luhn, is_pis, is_titulo
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.sieve import FEWEST_DIGITS, GROUP, MOST_DIGITS, MOST_GROUPS, DigitGroup, places
from agents.inspection.pii.span import Kind, PiiSpan

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

# Effort: what a run, the words around it, a country's rules for telephones and the search for a street take.
_RUN, _BEFORE, _AROUND, _COUNTRY, _SEARCH = 5.0, 15.0, 3.0, 40.0, 100.0
_ELSEWHERE = 5.0

_CARD_IIN = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01]|720)\d{12,13}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}|606282\d{10}|(?:5067|5090|6277|6362|6363|5041)\d{12}"
)
_CARD_SHAPES = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (16,), (15,), (14,)})


class _DigitGroup(NamedTuple):
    start: int
    end: int
    digits: str


class _Lead:
    """The beginning of a number: what is the same for all runs that begin there."""

    def __init__(self, text: str, place: DigitGroup, effort: Effort) -> None:
        self.text = text
        self.start, self.first, self.chain_end, self.lengths = place
        self.effort = effort

    @cached_property
    def before(self) -> Before:
        self.effort.spend(_BEFORE)
        return before(self.text, self.start)

    @cached_property
    def plus(self) -> bool:
        return bool(_PLUS.search(self.text, max(0, self.start - 3), self.start))

    @cached_property
    def within(self) -> bool:
        """It is in a word, an id, an amount, a fraction."""
        just = self.text[max(0, self.start - 12) : self.start]
        if just and (just[-1].isalpha() or just[-1] == "_") and not _NAMED.search(just):
            return True
        if len(just) > 1 and just[-1] in "-." and (just[-2].isalnum() if just[-1] == "-" else just[-2].isdigit()):
            return True
        return bool(_MONEY.search(just))


class _Number:
    """A run of groups of a chain."""

    def __init__(self, lead: _Lead, groups: list[_DigitGroup], digits: str) -> None:
        self.lead = lead
        self.text = lead.text
        self.groups = groups
        self.digits = digits

    @property
    def effort(self) -> Effort:
        return self.lead.effort

    @property
    def whole(self) -> bool:
        """It is all of its chain."""
        return self.lead.first and self.end == self.lead.chain_end

    @property
    def start(self) -> int:
        return self.groups[0].start

    @property
    def end(self) -> int:
        return self.groups[-1].end

    @cached_property
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
        return self.lead.plus

    @cached_property
    def context(self) -> WordContext:
        self.effort.spend(_AROUND)
        return around(self.lead.before, self.text, self.end)

    @cached_property
    def attached(self) -> bool:
        """It is part of something longer: a word, an id, an amount, a fraction."""
        return self.lead.within or bool(_ATTACHED_AFTER.match(self.text, self.end)) or bool(_PERCENT_OR_CENTS.match(self.text, self.end))


def numbers(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """The personal numbers of `text`, from left to right, none overlapping another; until the effort is spent."""
    position = 0
    for place in places(text):
        if effort.spent:
            return
        if place.start >= position and (span := _longest(_Lead(text, place, effort))) is not None:
            position = span.end
            yield span
            yield from _street(text, span, effort)


def _longest(lead: _Lead) -> PiiSpan | None:
    """The span that begins there; the longest, since a part of a number may look like another."""
    digits = ""
    groups: list[_DigitGroup] = []
    runs: list[_Number] = []
    for match in islice(GROUP.finditer(lead.text, lead.start, lead.chain_end), MOST_GROUPS):
        digits += match.group()
        if len(digits) > MOST_DIGITS:
            break
        groups.append(_DigitGroup(*match.span(), match.group()))
        if len(digits) >= FEWEST_DIGITS and lead.lengths >> len(digits) & 1:
            runs.append(_Number(lead, groups[:], digits))
    lead.effort.spend(_RUN * len(runs))
    for number in reversed(runs):
        # After a plus it is a telephone if it can be one.
        found = (_phone(number) or _document(number)) if number.plus else (_document(number) or _phone(number))
        if found is not None:
            kind, value = found
            start, text = number.start, lead.text
            while kind == "PHONE" and text[start - 1 : start] in ("(", "+") and start:
                start -= 1
            if kind == "PHONE" and text[start - 2 : start] == "+ ":
                start -= 2
            return PiiSpan(kind, start, number.end, value)
    return None


def _document(number: _Number) -> tuple[Kind, str] | None:
    check = _BY_LENGTH.get(len(number.digits))
    return check(number) if check is not None else None


def _bare(number: _Number) -> bool:
    return len(number.groups) == 1


def _eleven(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    person, worker, driver = is_cpf(digits), is_pis(digits), is_cnh(digits)
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
    if said.kind == "PHONE" and _brazilian(digits, number.effort) is not None:
        return None
    return ("CPF", digits) if number.shaped((11,)) else None


def _fourteen(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    if is_cnpj(digits):
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
    if _CARD_IIN.fullmatch(number.digits) and is_luhn(number.digits) and not number.attached:
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
        just = number.text[max(0, number.start - _STREET_REACH) : number.start].rpartition(BLANK)[2]
        if _STREET_WORD.search(just):
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


def _subscribers(region: str) -> re.Pattern[str]:
    """Fixed and mobile telephones of a region, without prefixes."""
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    return re.compile(f"{metadata.fixed_line.national_number_pattern}|{metadata.mobile.national_number_pattern}")


_SUBSCRIBER = _subscribers("BR")
_REGIONS = ("BR", "US", "PT", "GB")


class _Country(NamedTuple):
    """How a country writes its own telephones: `trunk` stands before area codes, and not behind the country's code."""

    code: int
    trunk: str
    pattern: re.Pattern[str]


def _country(region: str) -> _Country:
    metadata: Any = PhoneMetadata.metadata_for_region(region)
    return _Country(metadata.country_code, metadata.national_prefix or "", _subscribers(region))


_COUNTRIES = tuple(
    map(_country, ("DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "IE", "PL", "SE", "MX", "AR", "CL", "CO", "PE", "UY", "PY", "IN",
                   "JP", "AU", "ZA", "AO", "MZ"))
)  # fmt: skip
"""Those whose national form is understood where a number is called a telephone, besides `_REGIONS`."""


def _valid(text: str, region: str | None, effort: Effort) -> str | None:
    """The number in E.164 if it is a valid number of a subscriber in its country (or in `region`)."""
    effort.spend(_COUNTRY)
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed) or phonenumbers.number_type(parsed) in _NO_PERSON:
        return None
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164))


def _brazilian(digits: str, effort: Effort) -> str | None:
    """As `_valid`, of area code and number, a tenth as long."""
    if digits.startswith("0"):
        return _valid("+55" + digits, None, effort)
    return "+55" + digits if _SUBSCRIBER.fullmatch(digits) else None


def _elsewhere(digits: str) -> str | None:
    """The number in E.164 if a country of `_COUNTRIES` writes its subscribers' telephones so."""
    for country in _COUNTRIES:
        if country.pattern.fullmatch(digits):
            return f"+{country.code}{digits}"
        if country.trunk and digits.startswith(country.trunk) and country.pattern.fullmatch(rest := digits[len(country.trunk) :]):
            return f"+{country.code}{rest}"
    return None


def _phone(number: _Number) -> tuple[Kind, str] | None:
    digits = number.digits
    if len(digits) > 15:
        return None
    if number.plus:
        found = _valid("+" + digits, None, number.effort)
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
            found = _brazilian(rest, number.effort)
            if found is not None and (brackets or number.punctuated or len(rest) == 11) and not number.context.close:
                return found
    if brackets and len(digits) in (10, 11) and not number.context.close:
        found = _brazilian(digits, number.effort) or (_valid("+1" + digits, None, number.effort) if len(digits) == 10 else None)
        if found is not None:
            return found
    if shape in ((3, 3, 4), (1, 3, 3, 4)) and (number.punctuated or brackets) and (len(shape) == 3 or digits[0] == "1"):
        found = _valid("+1" + digits[-10:], None, number.effort)
        if found is not None and not number.context.close:
            return found
    said = number.context
    if said.kind == "PHONE":
        if digits.startswith("00"):
            return _valid("+" + digits[2:], None, number.effort)
        for region in _REGIONS:
            found = _valid(digits, region, number.effort)
            if found is not None:
                return found
        number.effort.spend(_ELSEWHERE)
        if called_telephone(number.text, number.start) and (found := _elsewhere(digits)) is not None:
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
            return _brazilian(digits, number.effort)
        if len(digits) == 13 and digits.startswith("55") and digits[4] == "9":
            return _brazilian(digits[2:], number.effort)
    return None


def _street(text: str, span: PiiSpan, effort: Effort) -> Iterator[PiiSpan]:
    """The street and house number that a CEP belongs to."""
    if span.kind != "CEP":
        return
    effort.spend(_SEARCH)
    near = max(0, span.start - _STREET_REACH)
    begin = max(near, text.rfind(BLANK, near, span.start) + 1)
    streets = list(_STREET.finditer(text, begin, span.start))
    if streets:
        yield PiiSpan("STREET", *streets[-1].span(), " ".join(streets[-1].group().lower().split()))
