"""What an agent's logic wants done outside: messages, rows, dead letters. Collected while records are applied,
carried out by the checkpoint (streams/checkpoint.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import NamedTuple

from schemas.outputs import DeadLetter
from streams.counters import CounterName, Counts

Headers = Sequence[tuple[str, bytes]]


class OutgoingMessage(NamedTuple):
    """A message to produce, to an explicit partition."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers = ()


_message = partial(tuple.__new__, OutgoingMessage)
"""Of its fields: a third of the time that the constructor takes."""


@dataclass(slots=True)
class Effects:
    """Everything to be made durable by one checkpoint. ``rows``: table -> JSON objects, one per row."""

    messages: list[OutgoingMessage] = field(default_factory=list)
    rows: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    letters: list[DeadLetter] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    """For the metrics of the worker."""
    row_count: int = 0

    def message_all(self, topic: str, partitions: Iterable[int], keys: Iterable[bytes], values: Iterable[bytes]) -> None:
        """A message for each key, without headers."""
        self.messages += map(_message, zip(repeat(topic), partitions, keys, values, repeat(()), strict=False))

    def row(self, table: str, row: bytes) -> None:
        """A row (a JSON object) for a storage table."""
        self.rows[table].append(row)
        self.row_count += 1

    def row_all(self, table: str, rows: Sequence[bytes]) -> None:
        """Rows (JSON objects) for one storage table."""
        self.rows[table] += rows
        self.row_count += len(rows)

    def count(self, counter: CounterName, label: str = "", by: int = 1) -> None:
        """Add to a counter of streams/counters.py. Raises ValueError for one that is not declared
        there."""
        self.counts[counter, label] += by
