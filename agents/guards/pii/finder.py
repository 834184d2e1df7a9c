"""`find`: all detectors over one text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from agents.guards.pii.candidates import has_candidates
from agents.guards.pii.codes import UUID, addresses, companies, emails, ibans, pix_keys, secrets
from agents.guards.pii.context import BLANK
from agents.guards.pii.fold import fold
from agents.guards.pii.numbers import numbers
from agents.guards.pii.span import KINDS, Span

_TAG = re.compile(r"<(?:" + "|".join(KINDS) + r")(?::\d{1,4})?>")
_DATES = (
    re.compile(
        r"[12](?<![0-9].)(?:(?<=1)9|(?<=2)0)[0-9]{2}([\-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])(?![0-9])"
        r"(?:[T ][0-2][0-9](?::?[0-5][0-9]){1,2}(?:[.,][0-9]+)?)?"
    ),
    re.compile(r"[0-9](?<![0-9.\-/].)[0-9]?([\-/.])(?:0?[1-9]|[12][0-9]|3[01])\1(?:19|20)[0-9]{2}(?![0-9./\-])"),
)
"""Year first, with the time; and year last."""

_DETECTORS = (secrets, emails, ibans, companies, addresses, pix_keys)
_CACHED_TEXTS = 4_096
_CACHED_CHARACTERS = 2_048
_encode = msgspec.json.Encoder().encode


def find(text: str) -> list[Span]:
    """The personal data and secrets in `text`, in order of position; spans do not overlap.

    Masking every span leaves a text in which nothing is found: detectors run until they find no more, each time on a text in which what was
    found is blank, and blanks look to them as tags do. What a text holds is remembered for a while: each call of a conversation brings the
    messages before it again.
    """
    return list(_remembered(text) if len(text) <= _CACHED_CHARACTERS else _find(text))


@lru_cache(maxsize=_CACHED_TEXTS)
def _remembered(text: str) -> list[Span]:
    return _find(text)


def _find(text: str) -> list[Span]:
    if not has_candidates(_encode(text)):
        return []
    folded = fold(text)
    plain = _TAG.sub(_blank, folded.text.replace(BLANK, " "))
    spans: list[Span] = []
    while True:
        plain, found = _once(plain)
        if not found:
            break
        spans += found
    spans = [Span(span.kind, *folded.original(span.start, span.end), span.value) for span in spans]
    spans.sort(key=lambda span: span.start)
    return spans


def _once(plain: str) -> tuple[str, list[Span]]:
    """What one round finds, and the text with it blanked."""
    found: list[Span] = []
    for detector in _DETECTORS:
        plain = _take(plain, detector(plain), found)
    digits = UUID.sub(_blank, plain) if plain.count("-") >= 4 else plain
    for date in _DATES:
        digits = date.sub(_blank, digits)
    before = len(found)
    _take(digits, numbers(digits), found)
    for span in found[before:]:
        plain = _blanked(plain, span)
    return plain, found


def _take(plain: str, spans: Iterator[Span], found: list[Span]) -> str:
    for span in list(spans):
        if BLANK not in plain[span.start : span.end]:
            found.append(span)
            plain = _blanked(plain, span)
    return plain


def _blanked(plain: str, span: Span) -> str:
    return plain[: span.start] + BLANK * (span.end - span.start) + plain[span.end :]


def _blank(match: re.Match[str]) -> str:
    return BLANK * (match.end() - match.start())
