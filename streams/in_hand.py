"""What a worker works on at this moment: for its watchdog, and for the worker that is started after its death.

The note of it is written into memory that may be a mapped file: that takes no system call, and what
stands in it outlives a SIGKILL (streams/deaths.py). It is written once per batch. Where an event
has killed before, the records around it are taken one by one, each with a note of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

NOTE_BYTES = 4096
_LENGTH = 4
_NOTHING = bytes(_LENGTH)


class Condemned(Exception):
    """The event at hand has killed workers. The text is the reason of its dead letter."""


class Work(msgspec.Struct, frozen=True, array_like=True):
    """What is worked on: the records of a topic-partition from the offset `first` to `last`, by an
    agent; without a topic, none in particular. `mark`: of one event that is worked on alone, what
    tells it from any other that may get its place."""

    agent: str
    step: str
    topic: str = ""
    partition: int = 0
    first: int = 0
    last: int = 0
    mark: str = ""

    def is_within(self, other: Work) -> bool:
        """Whether it may be that `other` was work on the same."""
        if (self.agent, self.topic, self.partition) != (other.agent, other.topic, other.partition):
            return False
        if self.mark and other.mark:
            return (self.first, self.mark) == (other.first, other.mark)
        return other.first <= self.first and self.last <= other.last


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, Work]).decode


class WritableBytes(Protocol):
    """Bytes that can be written in place: a bytearray or a mapped file."""

    def __setitem__(self, at: slice, value: bytes, /) -> None: ...


class Deaths(Protocol):
    """What earlier workers died of (streams/deaths.py)."""

    def suspects(self, agent: str, topic: str, partition: int) -> Sequence[Work]:
        """Work in which workers have died: its records are to be taken one by one."""

    def reason(self, work: Work) -> str | None:
        """Why this event is not to be worked on; None if it is."""


class _NoDeaths:
    def suspects(self, agent: str, topic: str, partition: int) -> Sequence[Work]:
        return ()

    def reason(self, work: Work) -> str | None:
        return None


class InHand:
    """`source`: the Kafka cluster. `memory`: of NOTE_BYTES, where the note is kept."""

    def __init__(
        self,
        source: str = "",
        memory: WritableBytes | None = None,
        deaths: Deaths | None = None,
    ) -> None:
        self._source = source
        self._memory: WritableBytes = bytearray(NOTE_BYTES) if memory is None else memory
        self.deaths: Deaths = _NoDeaths() if deaths is None else deaths
        self.work: Work | None = None
        self.record: Any = None
        """The record of the batch at which the agent is, if it says so: anything that has topic,
        partition, offset and key. Set for every record, so it is an attribute and no more."""

    def take(self, work: Work) -> None:
        """Note what is being worked on, so that a death in the middle of it can be laid at its
        door."""
        note = _encode((self._source, work))
        if len(note) > NOTE_BYTES - _LENGTH:
            note = b""
        # A death between two of these leaves either nothing or all of it.
        self._memory[0:_LENGTH] = _NOTHING
        self._memory[_LENGTH : _LENGTH + len(note)] = note
        self._memory[0:_LENGTH] = len(note).to_bytes(_LENGTH, "little")
        self.work, self.record = work, None

    def put_down(self) -> None:
        """Nothing is being worked on any more."""
        self._memory[0:_LENGTH] = _NOTHING
        self.work = self.record = None

    @contextmanager
    def at(self, work: Work) -> Iterator[None]:
        """While `work` is done."""
        self.take(work)
        try:
            yield
        finally:
            self.put_down()

    @contextmanager
    def event(self, step: str, topic: str, partition: int, offset: int, mark: str) -> Iterator[None]:
        """While a state works on an event that it has kept, not on what it is applied to.

        Raises Condemned if that has killed workers.
        """
        before, record = self.work, self.record
        agent = before.agent if before is not None else ""
        one = Work(agent, step, topic, partition, offset, offset, mark)
        if (reason := self.deaths.reason(one)) is not None:
            raise Condemned(reason)
        self.take(one)
        try:
            yield
        finally:
            if before is None:
                self.put_down()
            else:
                self.take(before)
                self.record = record


def mark_of(key: bytes | None, value: bytes | None) -> str:
    """Of a record by its content: offsets begin anew where a topic is made anew."""
    digest = blake2b(key or b"", digest_size=8)
    digest.update(b"\0" + (value or b""))
    return digest.hexdigest()


def read_note(note: bytes) -> tuple[str, Work] | None:
    """Cluster and work of what a worker has left; None if it had nothing in hand."""
    length = int.from_bytes(note[:_LENGTH], "little")
    if not 0 < length <= len(note) - _LENGTH:
        return None
    try:
        return _decode(note[_LENGTH : _LENGTH + length])
    except msgspec.DecodeError:
        return None
