"""Messages that agents send each other, MessagePack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from streams.deadletters import dead_letter, origin_of
from streams.effects import Effects
from streams.state import Batch

T = TypeVar("T")


def messages(batch: Batch, decode: Callable[[bytes], T], what: str, stage: str, source: str, effects: Effects) -> Iterator[T]:
    """The messages of a batch; what is not ``what`` becomes a dead letter of ``stage``. ``source``: the Kafka cluster."""
    for record in batch.records:
        try:
            message = decode(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
            effects.count("dead_letter", stage)
            reason = f"not a message of {what}: {error}"
            effects.letters.append(dead_letter(origin_of(record), source=source, stage=stage, reason=reason))
        else:
            yield message
