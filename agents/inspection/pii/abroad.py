"""Documents of other countries, and what else needs a name or a rare form: Aadhaar, codice fiscale, NHS numbers, passports, dates of birth.

A plain number is none of these by itself: nine digits in ten thousand have the check digit of some country. So it must be called what it
is right before ("NHS no. 943 476 5919"), and its check digits must be right where the kind has some (python-stdnum). Without a name counts
only what a check digit and a form make rare: a codice fiscale, a Bitcoin address, a MAC address, a National Insurance number in its pairs.
One pass of an automaton says which kinds to look for at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from stdnum import bitcoin
from stdnum.au import abn, tfn
from stdnum.ca import sin
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.gb import nhs
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.pl import pesel
from stdnum.us import itin, rtn

from agents.inspection.pii.called import GAP
from agents.inspection.pii.digits import is_cnh
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.span import Kind, PiiSpan
from agents.inspection.scan import Scanner

__all__ = ["NUMBER_FORMS", "OTHER_FORMS", "abroad", "is_nric"]

_NAME_READ, _VALUE_READ = 1.0, 6.0
"""Effort: for a name with what stands between, and for a value whose check digits are computed."""

_LONGEST_NAME = 40
_NRIC_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)
_NRIC_LETTERS: Final = {"S": (0, "JZIHGFEDCBA"), "T": (4, "JZIHGFEDCBA"), "F": (0, "XWUTRQPNMLK"), "G": (4, "XWUTRQPNMLK"),
                        "M": (3, "XWUTRQPNJLK")}  # fmt: skip


def is_nric(number: str) -> bool:
    """NRIC and FIN of Singapore: a letter of the series, seven digits, a check letter modulo 11 (series M: since 2022)."""
    offset, letters = _NRIC_LETTERS[number[0]]
    return number[8] == letters[(offset + sum(int(d) * w for d, w in zip(number[1:8], _NRIC_WEIGHTS, strict=True))) % 11]


def _any(number: str) -> bool:
    return True


def _some_digits(number: str) -> bool:
    return sum(map(str.isdigit, number)) >= 5


def _licence(number: str) -> bool:
    """Not a CNH, which `numbers` knows."""
    return _some_digits(number) and not (number.isdigit() and is_cnh(number))


class _Called(NamedTuple):
    """What must be called by one of ``words``."""

    kind: Kind
    words: str
    form: re.Pattern[str]
    valid: Callable[[str], bool]


class _Formed(NamedTuple):
    """What its form tells. ``hint``: as the form in bytes, for the automaton."""

    kind: Kind
    hint: bytes
    form: re.Pattern[str]
    valid: Callable[[str], bool]


def _form(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})(?![0-9A-Za-z])", flags)


_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)[0-9]{2}"
_NAMED_MONTH = (
    r"(?:jan(?:uary|eiro)?|feb(?:ruary)?|fev(?:ereiro)?|mar(?:ch|[cç]o)?|apr(?:il)?|abr(?:il)?|may|maio?|june?|junho|july?|julho|aug(?:ust)?"
    r"|ago(?:sto)?|sept?(?:ember)?|set(?:embro)?|oct(?:ober)?|out(?:ubro)?|nov(?:ember|embro)?|dec(?:ember)?|dez(?:embro)?)\.?"
)
_BIRTH = _form(
    rf"{_DAY}[./\- ]{_MONTH}[./\- ]{_YEAR}|{_MONTH}[./\-]{_DAY}[./\-]{_YEAR}|{_YEAR}[./\-]{_MONTH}[./\-]{_DAY}"
    rf"|{_DAY}(?:st|nd|rd|th)?(?: of| de)? {_NAMED_MONTH}(?: de|,)? {_YEAR}|{_NAMED_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_YEAR}",
    re.IGNORECASE,
)

_NINO = "(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
"""How a National Insurance number begins."""

_CALLED: Sequence[_Called] = (
    _Called("DNI", "dni|nif|documento nacional", _form(r"[0-9]{8}[ \-]?[A-Za-z]|[0-9]{2}\.[0-9]{3}\.[0-9]{3}-?[A-Za-z]"), dni.is_valid),
    _Called("NIE", "nie|nif", _form(r"[XYZ]-?[0-9]{7}-?[A-Z]"), nie.is_valid),
    _Called("AADHAAR", "aadhaar|aadhar|uidai", _form(r"[0-9]{4}([ \-]?)[0-9]{4}\1[0-9]{4}"), aadhaar.is_valid),
    _Called("PAN", "pan|permanent account", _form(r"[A-Z]{5}[0-9]{4}[A-Z]"), pan.is_valid),
    _Called("TFN", "tfn|tax file", _form(r"[0-9]{3}([ \-]?)[0-9]{3}\1[0-9]{2,3}"), tfn.is_valid),
    _Called("ABN", "abn|australian business", _form(r"[0-9]{2}( ?)[0-9]{3}\1[0-9]{3}\1[0-9]{3}"), abn.is_valid),
    _Called("NRIC", "nric|fin", _form(r"[STFGM][0-9]{7}[A-Z]"), is_nric),
    _Called("SIN", "sin|social insurance", _form(r"[0-9]{3}([ \-]?)[0-9]{3}\1[0-9]{3}"), sin.is_valid),
    _Called("PESEL", "pesel", _form(r"[0-9]{11}"), pesel.is_valid),
    _Called(
        "STEUER_ID", "steuer-?id|steueridentifikationsnummer|steuerliche identifikationsnummer|idnr",
        _form(r"[0-9]{2}( ?)[0-9]{3}\1[0-9]{3}\1[0-9]{3}"), idnr.is_valid,
    ),
    _Called("NHS", "nhs", _form(r"[0-9]{3}([ \-]?)[0-9]{3}\1[0-9]{4}"), nhs.is_valid),
    _Called("NINO", "nino|national insurance|ni number", _form(_NINO + "[0-9]{6}[A-D]"), _any),
    _Called("ROUTING", "routing|aba|rtn", _form(r"[0-9]{9}"), rtn.is_valid),
    _Called("ITIN", "itin|taxpayer identification", _form(r"9[0-9]{2}([ \-]?)[0-9]{2}\1[0-9]{4}"), itin.is_valid),
    _Called("PASSPORT", "passport|passaporte", _form(r"[A-Za-z]{0,2}[0-9]{6,9}"), _any),
    _Called(
        "LICENCE", "driver'?s? licen[cs]e|driving licen[cs]e",
        _form(r"[A-Za-z0-9][A-Za-z0-9\-]{5,18}"), _licence,
    ),
    _Called(
        "ACCOUNT",
        r"account (?:number|no\.?|#)|(?:bank|checking|savings) account|conta (?:corrente|poupan[cç]a|banc[aá]ria)",
        _form(r"[0-9]{8,17}(?:-[0-9])?"), _any,
    ),
    _Called("BIRTH", "date of birth|birth ?date|dob|i was born|data de nascimento|nascimento|eu nasci|nascid[oa] em", _BIRTH, _any),
)  # fmt: skip

_CODICE: Final = rb"[A-Za-z]{2}[0-9]{2}[A-Ea-eHhLlMmPpR-Tr-t][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]"
_MAC: Final = rb"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
NUMBER_FORMS: Final = (
    rb"[A-Z]{3}[0-9]{4}[A-Z]",  # PAN
    rb"[XYZSTFGM]-?[0-9]{7}-?[A-Z]",  # NIE, NRIC
    rb"[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",  # NINO
    _CODICE,
)
"""In JSON, what may be found here and is not met as a number of eight digits or in groups: for `candidates`."""
OTHER_FORMS: Final = (
    _MAC,
    rb"bc1[0-9a-z]{11}",
    rb"(?:[^0-9A-Za-z]|\\[nrt])[13][1-9A-HJ-NP-Za-km-z]{25}",
    rb"(?i)(?:passport|passaporte|[sg] licen[cs]e|birth|(?:[^a-z]|\\[nrt])dob|nascimento|was born|eu nasci|nascid[oa])[^0-9]{0,20}[0-9]",
)

_FORMED: Sequence[_Formed] = (
    _Formed(
        "CODICE_FISCALE", _CODICE,
        re.compile(r"(?<![0-9A-Za-z])[A-Z]{6}[0-9]{2}[A-EHLMPR-T][0-9]{2}[A-Z][0-9]{3}[A-Z](?![0-9A-Za-z])", re.IGNORECASE),
        codicefiscale.is_valid,
    ),
    _Formed(
        "BITCOIN", rb"[^0-9A-Za-z](?:[13][1-9A-HJ-NP-Za-km-z]{25}|bc1[0-9a-z]{11})",
        re.compile(r"(?<![0-9A-Za-z])(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?![0-9A-Za-z])"), bitcoin.is_valid,
    ),
    _Formed(
        "MAC", _MAC,
        re.compile(
            r"(?<![0-9A-Za-z:\-])(?!(?:00.){5}00|(?i:(?:ff.){5}ff))[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
            r"(?![0-9A-Za-z:]|-[0-9A-Fa-f])"
        ),
        lambda number: not number.isdigit(),
    ),
    _Formed(
        "NINO", rb"[A-Z]{2} [0-9]{2} [0-9]{2} [0-9]{2} [A-D]",
        re.compile(rf"(?<![0-9A-Za-z]){_NINO} [0-9]{{2}} [0-9]{{2}} [0-9]{{2}} [A-D](?![0-9A-Za-z])"),
        _any,
    ),
)  # fmt: skip


def _name(words: str) -> re.Pattern[str]:
    """As a word of its own, or within a key in camel case (`customerDni`)."""
    camel = "|".join(word.capitalize() for word in words.split("|") if word.isalpha())
    return re.compile(rf"(?:(?<![A-Za-z])(?i:{words})" + (rf"|(?<=[a-z])(?:{camel})" if camel else "") + r")(?![0-9a-z])")


_NAMES = tuple(_name(called.words) for called in _CALLED)


def _hint(words: str) -> bytes:
    """As `_name`; what is not ASCII may be any byte."""
    written = re.sub(r"\[[^\]]*[^\x00-\x7f][^\]]*\]", ".", words)
    camel = "|".join(word.capitalize() for word in words.split("|") if word.isalpha())
    return (rf"(?:(?i:[^a-z](?:{written}))" + (rf"|[a-z](?:{camel})" if camel else "") + ")[^0-9a-z]").encode()


_scanner = Scanner([*(_hint(called.words) for called in _CALLED), *(formed.hint for formed in _FORMED)])

_Met = list[tuple[int, int]]
"""Which of `_CALLED` and `_FORMED`, and where it ends in the text."""


def abroad(text: str, effort: Effort) -> Iterator[PiiSpan]:
    """The numbers of `text` that are called one of `_CALLED`, and what has one of the forms, until the effort is spent."""
    met: _Met = []
    _scanner.finds(b" %b " % text.encode("ascii", "replace"), _add, met)  # one byte for each character
    for number, end in met:
        if number < len(_CALLED):
            if effort.spent:
                return
            yield from _behind(text, end, number, effort)
    for number in sorted({number - len(_CALLED) for number, _ in met if number >= len(_CALLED)}):
        yield from _formed(text, _FORMED[number], effort)


def _add(pattern: int, start: int, end: int, flags: int, met: _Met) -> bool:
    met.append((pattern, end - 2))  # the blank before the text, and what stands behind the name
    return False


def _behind(text: str, end: int, number: int, effort: Effort) -> Iterator[PiiSpan]:
    """What stands right behind a name that ends at text[end]."""
    effort.spend(_NAME_READ)
    if not any(name.end() == end for name in _NAMES[number].finditer(text, max(0, end - _LONGEST_NAME), end)):
        return
    called, gap = _CALLED[number], GAP.match(text, end)
    match = called.form.match(text, gap.end() if gap is not None else end)
    if match is not None:
        effort.spend(_VALUE_READ)
        value = _normal(match.group())
        if called.valid(value):
            yield PiiSpan(called.kind, *match.span(), value)


def _formed(text: str, formed: _Formed, effort: Effort) -> Iterator[PiiSpan]:
    for match in formed.form.finditer(text):
        if effort.spent:
            return
        effort.spend(_VALUE_READ)
        value = match.group() if formed.kind == "BITCOIN" else _normal(match.group())
        if formed.valid(value):
            yield PiiSpan(formed.kind, *match.span(), value)


def _normal(written: str) -> str:
    return "".join(filter(str.isalnum, written)).upper()
