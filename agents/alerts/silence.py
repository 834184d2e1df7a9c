"""Silences: operators say which alerts disturb nobody for a time.

A silenced alert is still published, as ``info`` with the annotation ``silenced_by``. A silence travels through the topic of the findings
(partition 0) under a header, so that it has its place among them. ``start`` and ``end`` are event time: they are compared with the
moment at which something happens to an alert, so what a replay of last week finds is silenced by silences for last week, and a silence
ends when event time passes its ``end``. The same id again replaces a silence; to remove one, send it again with an ``end`` that is past.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from schemas.findings import Finding
from schemas.rows import SilenceRow
from streams.effects import OutgoingMessage

KIND_HEADER = "mirante-kind"
SILENCE = b"silence"
_LATEST = 7_258_118_399.0
"""In the year 2199: a DateTime64 holds no later one in every reader."""


class Silence(msgspec.Struct, kw_only=True, gc=False):
    """``start`` (inclusive) and ``end`` (exclusive): epoch seconds.

    ``matchers``: label -> value or glob (``*``, ``?``, ``[ab]``), all of which must match; ``alertname`` is the alert's name, an absent
    label is ''.
    """

    id: str
    matchers: dict[str, str]
    start: float
    end: float
    comment: str = ""
    created_by: str = ""

    def matches(self, finding: Finding, at: float) -> bool:
        """Whether it silences this alert at this time."""
        if not self.start <= at < self.end:
            return False
        labels = {**finding.where, **finding.labels, "alertname": finding.name}
        return all(fnmatchcase(labels.get(label, ""), pattern) for label, pattern in self.matchers.items())


def parse_matchers(texts: Iterable[str]) -> dict[str, str]:
    """Matchers as written on the command line, ``label=pattern``. Raises ValueError."""
    matchers: dict[str, str] = {}
    for text in texts:
        label, separator, pattern = text.partition("=")
        if not separator or not label.strip():
            raise ValueError(f"{text!r} is not of the form label=value: write, for example, feature=chat or alertname=Cost*")
        if label.strip() in matchers:
            raise ValueError(f"label {label.strip()!r} is given twice: use one pattern such as [ab]*, or two silences")
        matchers[label.strip()] = pattern.strip()
    if not matchers:
        raise ValueError("a silence needs at least one label=value; alertname=* silences everything")
    return matchers


def silence_message(topic: str, silence: Silence) -> OutgoingMessage:
    """The record that makes a silence known; ``topic`` is that of the findings."""
    return OutgoingMessage(topic, 0, silence.id.encode(), msgspec.json.encode(silence), ((KIND_HEADER, SILENCE),))


def row_of_silence(silence: Silence, version: int) -> SilenceRow:
    """The row of a silence; ``version``: the offset of its record."""
    starts, ends = (datetime.fromtimestamp(min(max(at, 0.0), _LATEST), UTC) for at in (silence.start, silence.end))
    return SilenceRow(
        id=silence.id, version=version, matchers=silence.matchers, starts_at=starts, ends_at=ends, comment=silence.comment,
        created_by=silence.created_by,
    )  # fmt: skip


def read_silence(value: bytes | None) -> Silence:
    """The silence of a record. Raises ValueError that says what is wrong."""
    try:
        silence = _decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a silence: {error}") from error
    if not silence.id or not silence.matchers:
        raise ValueError("not a silence: it needs an id and at least one matcher")
    if not (math.isfinite(silence.start) and math.isfinite(silence.end)):
        raise ValueError("not a silence: start and end must be finite")
    return silence


_decode = msgspec.json.Decoder(Silence).decode
