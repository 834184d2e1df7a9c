"""A batch in pieces: what has been applied already is left out, large events do not come in one go, and where workers have died
records come one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from streams.fetching import Unreadable
from streams.in_hand import Work, mark_of
from streams.state import Batch

MOST_BYTES = 1 << 20
"""Bytes of a piece of more than one record. A batch has as many at most, unless it was compressed or holds a single larger one."""


class Piece:
    """Some records of a batch (see `Batch`). `mark`: of one that is taken alone (streams/in_hand.py)."""

    unreadable: Sequence[Unreadable] = ()

    def __init__(self, batch: Batch, records: Sequence[Any], next_offset: int, mark: str = "") -> None:
        self.topic, self.partition = batch.topic, batch.partition
        self.size, self.highwater = batch.size, batch.highwater
        self.records, self.next_offset, self.mark = records, next_offset, mark
        self.first = records[0].offset if records else next_offset
        self.last = records[-1].offset if records else next_offset


def pieces(batch: Batch, wanted: int, suspects: Sequence[Work]) -> Iterable[Piece]:
    """`wanted`: the first offset that has not been applied. `suspects`: work whose records are taken one by one."""
    records = batch.records
    if records and records[0].offset < wanted:
        records = [record for record in records if record.offset >= wanted]
    if not records or (not suspects and batch.size <= MOST_BYTES):
        return (Piece(batch, records, batch.next_offset),)
    return _cut(batch, records, suspects)


def _cut(batch: Batch, records: Sequence[Any], suspects: Sequence[Work]) -> Iterator[Piece]:
    some: list[Any] = []
    size = 0
    for record in records:
        alone = bool(suspects) and any(work.first <= record.offset <= work.last for work in suspects)
        width = len(record.value or b"")
        if some and (alone or size + width > MOST_BYTES):
            yield Piece(batch, some, some[-1].offset + 1)
            some, size = [], 0
        if alone:
            yield Piece(batch, [record], record.offset + 1, mark_of(record.key, record.value))
        else:
            some.append(record)
            size += width
    if some:
        yield Piece(batch, some, batch.next_offset)
