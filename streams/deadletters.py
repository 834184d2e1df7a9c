"""Dead letters: records that could not be processed. Their topic has original bytes, key and headers; their table a masked preview."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.outputs import DeadLetter
from schemas.rows import DeadLetterRow, json_text

MAX_REASON = 500

POISON = "poison"
"""Stage of the dead letters of events that kill workers (streams/deaths.py)."""

_LATEST_TIME = 7_258_118_399_999
"""Milliseconds of the end of 2199: a producer may give any time, and tables hold times up to there."""

REPLAY_HEADER = "mirante-replay"
"""On a dead letter that was sent back: its first position. The event is then new, although its id was seen."""


class Origin(msgspec.Struct, array_like=True, gc=False):
    """A record as it stood in its topic. ``timestamp``: milliseconds since the epoch, as Kafka holds it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def origin_of(record: Any) -> Origin:
    """The origin of an aiokafka record."""
    return Origin(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, list(record.headers)
    )


def dead_letter(origin: Origin, *, source: str, stage: str, reason: str) -> DeadLetter:
    """A record's dead letter. Its time is the record's own, so that doing the work again gives the same letter."""
    return DeadLetter(
        source=source,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        stage=stage,
        reason=reason[:MAX_REASON],
        time=datetime.fromtimestamp(min(max(origin.timestamp, 0), _LATEST_TIME) / 1000, UTC),
        value=_base64(origin.value),
        key=_base64(origin.key),
        headers=[(name, _base64(value)) for name, value in origin.headers],
    )


def refused_row(table: str, row: bytes, reason: str) -> DeadLetter:
    """A row that ClickHouse refuses. It has no position of its own: its table stands for the topic, and its content identifies it."""
    digest = int.from_bytes(hashlib.blake2b(row, digest_size=7).digest())
    return DeadLetter(
        source="clickhouse",
        topic=table,
        partition=0,
        offset=digest,
        stage="sink",
        reason=reason[:MAX_REASON],
        time=datetime.now(UTC),
        value=_base64(row),
    )


Preview = Callable[[DeadLetter], DeadLetter]
"""What of a letter may be in its table: texts masked."""


def withheld(letter: DeadLetter) -> DeadLetter:
    """The letter without what it holds: of one that nobody can mask."""
    return msgspec.structs.replace(letter, value=None, key=None, headers=[])


def row_of(letter: DeadLetter) -> DeadLetterRow:
    """The letter as a row of the table ``deadletter``."""
    return DeadLetterRow(
        source=letter.source,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        time=letter.time,
        stage=letter.stage,
        reason=letter.reason,
        key=letter.key or "",
        value=letter.value or "",
        headers=json_text(letter.headers),
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
