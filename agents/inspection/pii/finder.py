"""`find`: all detectors over one text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter

import msgspec

from agents.inspection.folding import fold
from agents.inspection.pii.abroad import abroad
from agents.inspection.pii.called import called
from agents.inspection.pii.candidates import has_candidates
from agents.inspection.pii.codes import UUID, addresses, companies, emails, ibans, pix_keys, secrets
from agents.inspection.pii.context import BLANK
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.numbers import numbers
from agents.inspection.pii.span import KINDS, PiiSpan

_TAG = re.compile(r"<(?:" + "|".join(KINDS) + r")(?::\d{1,4})?>")
_DATES = (
    re.compile(
        r"[12](?<![0-9].)(?:(?<=1)9|(?<=2)0)[0-9]{2}([\-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])(?![0-9])"
        r"(?:[T ][0-2][0-9](?::?[0-5][0-9]){1,2}(?:[.,][0-9]+)?)?"
    ),
    re.compile(r"[0-9](?<![0-9.\-/].)[0-9]?([\-/.])(?:0?[1-9]|[12][0-9]|3[01])\1(?:19|20)[0-9]{2}(?![0-9./\-])"),
)
"""Year first, with the time; and year last."""

_UNREAD = re.compile(r"(?<![^\s\0])(?:[^\s\0@0-9]*+[@0-9][^\s\0]*+(?:\s++(?=[^\s\0@0-9]*+[@0-9]))?)++")
"""Words with a digit or an @ in them, several in a row as one."""

_PLAIN_DETECTORS = (secrets, emails)
"""They decide by a pattern alone and look at all of a text; the others judge what they match."""
_JUDGES = (ibans, called, abroad, companies, addresses, pix_keys)
_ROUND = 0.05
"""Effort for each character that is gone over once more, because something was found."""
_CACHED_TEXTS = 4_096
_CACHED_CHARACTERS = 2_048
SHORTEST = 6
"""Characters of the shortest thing that is found: a@b.co."""
_TEXT = 30.0
"""Effort for a text that may hold something, however short."""
_WHOLE = 64
"""Characters of a text up to which all of it is one span when the effort is spent."""
_start = attrgetter("start")
_encode = msgspec.json.Encoder().encode


def find(text: str, effort: Effort | None = None) -> list[PiiSpan]:
    """The personal data and secrets in `text`, in order of position; spans do not overlap.

    Masking every span leaves a text in which nothing is found: detectors run until they find no more, each time on a text in which what was
    found is blank, and blanks look to them as tags do. What a text holds is remembered for a while: each call of a conversation brings the
    messages before it again.

    `effort`: what may be spent on it and on what comes after it. When it is spent, all words with digits or an @ that are not in a span yet
    are spans of the kind UNREAD (all of a short text that may hold something).
    """
    if effort is None:
        effort = Effort(len(text))
    if len(text) > _CACHED_CHARACTERS or effort.spent:
        return _find(text, effort)
    spans, spent = _remembered(text)
    effort.spend(spent)
    return list(spans)


@lru_cache(maxsize=_CACHED_TEXTS)
def _remembered(text: str) -> tuple[list[PiiSpan], float]:
    """What it holds, and what it took to find out: each time counts alike, or a replay would not judge alike."""
    effort = Effort(0)
    before = effort.left
    return _find(text, effort), before - effort.left


def _find(text: str, effort: Effort) -> list[PiiSpan]:
    if len(text) < SHORTEST or not has_candidates(_encode(text)):
        return []
    effort.spend(_TEXT)
    if effort.spent and len(text) <= _WHOLE:
        return [PiiSpan("UNREAD", 0, len(text), "")]
    folded = fold(text)
    plain = _TAG.sub(_blank, folded.text.replace(BLANK, " "))
    spans: list[PiiSpan] = []
    while True:
        plain, found = _once(plain, effort)
        spans += found
        if effort.spent:
            spans += [PiiSpan("UNREAD", *match.span(), "") for match in _UNREAD.finditer(plain)]
            break
        if not found:
            break
        effort.spend(_ROUND * len(plain))
    if folded.positions is not None:
        spans = [PiiSpan(span.kind, *folded.original(span.start, span.end), span.value) for span in spans]
    spans.sort(key=lambda span: span.start)
    return spans


def _once(plain: str, effort: Effort) -> tuple[str, list[PiiSpan]]:
    """What one round finds, and the text with it blanked."""
    found: list[PiiSpan] = []
    for detector in _PLAIN_DETECTORS:
        plain = _take(plain, detector(plain, effort), found)
    for judge in _JUDGES:
        plain = _take(plain, judge(plain, effort), found)
    if effort.spent:
        return plain, found
    digits = UUID.sub(_blank, plain) if plain.count("-") >= 4 else plain
    for date in _DATES:
        digits = date.sub(_blank, digits)
    before = len(found)
    _take(digits, numbers(digits, effort), found)
    return _blanked(plain, found[before:]), found


def _take(plain: str, spans: Iterator[PiiSpan], found: list[PiiSpan]) -> str:
    """Adds to `found` those of `spans` that touch neither a blank nor one before them; the text with them blanked."""
    taken: list[PiiSpan] = []
    covered = bytearray()
    for span in list(spans):
        covered = covered or bytearray(len(plain))
        if BLANK not in plain[span.start : span.end] and 1 not in covered[span.start : span.end]:
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
            taken.append(span)
    found += taken
    return _blanked(plain, taken)


def _blanked(plain: str, spans: list[PiiSpan]) -> str:
    if not spans:
        return plain
    parts: list[str] = []
    position = 0
    for _, start, end, _ in sorted(spans, key=_start):
        parts += (plain[position:start], BLANK * (end - start))
        position = end
    parts.append(plain[position:])
    return "".join(parts)


def _blank(match: re.Match[str]) -> str:
    return BLANK * (match.end() - match.start())
