"""Personal data replaced by tags, in text and in encoded JSON."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from agents.inspection.pii.candidates import candidate_ends, has_candidates
from agents.inspection.pii.context import context
from agents.inspection.pii.effort import Effort
from agents.inspection.pii.finder import SHORTEST, find
from agents.inspection.pii.span import PiiSpan
from schemas.depth import too_deep

Tag = Callable[[PiiSpan], str]
Found = dict[str, Counter[str]]
"""How many of each kind, per top-level field."""

_SHORT = 64
"""Characters up to which a text is a value that its key explains, not prose."""
_LENGTHS = {"CPF": 11, "CNPJ": 14, "PIS": 11, "CNH": 11, "TITULO": 12, "CEP": 8}
"""Digits of numbers that lose their leading zeros as JSON numbers."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Tagger:
    """Tags such as `<CPF:4711>`: one value has one tag throughout a session, and tags of different sessions can not be linked.

    The number is a keyed BLAKE2b (RFC 7693) of session, kind and value in 1..9999. It needs no state: a replay gives the same tags. Two
    values of one session share a tag with a chance of 1 in 9999. Without `secret` the values can be guessed from the tags.
    """

    def __init__(self, session: str, secret: bytes) -> None:
        self._hash = hashlib.blake2b(session.encode("utf-8", "surrogatepass") + b"\0", key=secret[:64], digest_size=8)

    def __call__(self, span: PiiSpan) -> str:
        if span.kind == "UNREAD":
            return "<UNREAD>"  # nobody knows what it was, so nothing is told by it
        digest = self._hash.copy()
        digest.update(f"{span.kind}\0{span.value}".encode("utf-8", "surrogatepass"))
        return f"<{span.kind}:{int.from_bytes(digest.digest(), 'big') % 9999 + 1}>"


def mask(text: str, tag: Tag) -> tuple[str, list[PiiSpan]]:
    """`text` with each span replaced by its tag, and the spans (positions in the unmasked text). The rest stays as it is."""
    spans = find(text)
    return _replaced(text, spans, tag), spans


_LONGEST_NAME = 200


def name_of(text: str) -> str:
    """A text that is to be a name, such as a provider's finish reason, with tags that are the same everywhere."""
    return _masked_name(text) if len(text) <= _LONGEST_NAME else _masked_name.__wrapped__(text)[:_LONGEST_NAME]


@lru_cache(maxsize=4_096)
def _masked_name(text: str) -> str:
    return _replaced(text, find(text), lambda span: f"<{span.kind}>")


def _replaced(text: str, spans: list[PiiSpan], tag: Tag) -> str:
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += (text[position : span.start], tag(span))
        position = span.end
    parts.append(text[position:])
    return "".join(parts)


def mask_json(data: bytes, tag: Tag) -> tuple[bytes, Found]:
    """An encoded JSON object with the texts of all its fields masked.

    Masks at any depth: strings, keys below the top level, strings that hold JSON (as JSON), and integers whose key says what they are
    (`{"cpf": 12345678909}` becomes a tag). Fields without findings keep their bytes. Raises msgspec.DecodeError if it is no object.
    """
    ends = candidate_ends(data)
    return mask_fields(data, ends, tag) if ends != [] else (data, {})


def mask_fields(data: bytes, ends: Sequence[int] | None, tag: Tag, *, skip: str | None = None) -> tuple[bytes, Found]:
    """As `mask_json`, of data in which candidates end at `ends` (None: anywhere); the field `skip` stays as it is."""
    found: Found = {}
    effort = Effort(len(data))
    fields: dict[str, Any] = dict(_fields(data))
    for name in _suspects(data, fields, ends):
        if name == skip:
            continue
        counts: Counter[str] = Counter()
        masked = _Masker(tag, effort, counts).masked(_decode(fields[name]), name)
        if counts:
            fields[name] = msgspec.Raw(_encode(masked))
            found[name] = counts
    return (_encode(fields), found) if found else (data, found)


def _suspects(data: bytes, fields: Mapping[str, Any], ends: Sequence[int] | None) -> list[str]:
    """The fields that may hold something. A candidate in a field is one in the whole, so those in which one ends will do."""
    names: list[str] = []
    left = sorted(ends or (), reverse=True)
    position = 1
    for name, raw in fields.items():
        position += len(name.encode()) + len(raw) + 4  # `"name":raw,`
        if left and left[-1] < position:
            names.append(name)
            while left and left[-1] < position:
                left.pop()
    if ends is not None and position == len(data):
        return names
    # too many, or not compact: blanks, escapes in names and repeats make it longer
    return [name for name, raw in fields.items() if has_candidates(b'"%s":%s' % (name.encode(), bytes(raw)))]


def pii_column(found: Found) -> list[dict[str, Any]]:
    """`found` as the `pii` column lists it: `[{"kind": "CPF", "where": "messages", "count": 2}, ...]`."""
    return [{"kind": kind, "where": where, "count": counts[kind]} for where, counts in found.items() for kind in sorted(counts)]


class _Masker:
    """Masks values. `counts`: what was masked, by kind."""

    def __init__(self, tag: Tag, effort: Effort, counts: Counter[str]) -> None:
        self._tag = tag
        self._effort = effort
        self._counts = counts

    def masked(self, value: Any, key: str) -> Any:
        if isinstance(value, str):
            return self._text(value, key) if len(value) >= SHORTEST else value
        if isinstance(value, list):
            return [self.masked(item, key) for item in value]
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self._number(value, key)
        return value

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = {}
        repeats: Counter[str] = Counter()
        for key, item in value.items():
            name = once = self.masked(key, "")
            while name in masked:  # two keys with one tag are still two keys
                repeats[once] += 1
                name = f"{once}'{repeats[once]}"
            masked[name] = self.masked(item, key)
        return masked

    def _text(self, text: str, key: str) -> str:
        if (inner := _inside(text)) is not None:
            masker = _Masker(self._tag, self._effort, Counter())
            masked = masker.masked(inner, key)
            if not masker._counts:
                return text
            self._counts.update(masker._counts)
            return _encode(masked).decode()
        spans = self._explained(text, key) if key and len(text) <= _SHORT else find(text, self._effort)
        if not spans:
            return text
        self._counts.update(span.kind for span in spans)
        return _replaced(text, spans, self._tag)

    def _explained(self, text: str, key: str) -> list[PiiSpan]:
        """The spans of a short value, its key read as the words before it."""
        prefix = f"{key}: "
        width = len(prefix)
        return [
            PiiSpan(kind, max(start - width, 0), end - width, value)
            for kind, start, end, value in find(prefix + text, self._effort)
            if start >= width or (kind == "UNREAD" and end > width)
        ]

    def _number(self, number: int, key: str) -> Any:
        digits = str(number)
        if not 7 <= len(digits) <= 19 or not key or (kind := _named(key)) is None:
            return number
        spans = [span for span in self._explained(digits.zfill(_LENGTHS.get(kind, 0)), key) if span.kind in (kind, "UNREAD")]
        if not spans:
            return number
        self._counts[spans[0].kind] += 1
        return self._tag(spans[0])


def _inside(text: str) -> dict[str, Any] | list[Any] | None:
    """What a text that is JSON holds, if that is a list or an object and not too deep to be gone through."""
    if text[0] not in "{[" or text[-1] not in "]} \t\r\n":
        return None
    try:
        inner = _decode(text)
        if too_deep(text.encode()):
            return None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # not JSON after all, or cut off
    return inner if isinstance(inner, dict | list) else None


@lru_cache(maxsize=1_024)
def _named(key: str) -> str | None:
    """The kind of number that a key says its value is."""
    return context(f"{key}: ", len(key) + 2, len(key) + 2).kind
