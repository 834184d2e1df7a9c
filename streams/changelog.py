"""State of an agent, durable in Kafka together with the input offsets up to which it is true.

One changelog partition per input partition, written in groups: the pieces of a checkpoint's changes, the last of which carries the
offsets and thereby commits the group. A group begins at a *snapshot* or continues from the last one; a reader therefore
finds state and offsets by reading from the latest snapshot to the end and ignoring an unfinished last group.

Who takes a partition over appends a *takeover* with a higher epoch and the offset up to which it has read. It holds only if it stands
exactly there: else somebody has written meanwhile, and its writer reads again. Whatever an older owner appends later (a process that was
stopped for longer than its session and woke up) carries the older epoch and is ignored. An ignored writer does no harm: what readers find
is older state with older offsets, from which the work is done again. Nor does it trim the log: only a snapshot that follows its
writer's previous record without a gap replaces what is before it.

Appending whole pieces instead of one record per key is what makes recovery fast (tests/bench/recovery.py).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from streams.fetching import Consumer, Unreadable
from streams.kafka import connect_admin, new_reader
from streams.settings import Settings

log = logging.getLogger(__name__)

PIECE_BYTES = 700_000
"""Largest payload of a record: with its envelope below the 1 MB that brokers accept by default. Longer pieces are cut."""

SNAPSHOT_FACTOR = 3
SNAPSHOT_MIN_BYTES = 8_000_000
"""A new snapshot is due when the changes since the last outweigh it this often, and at least this many bytes."""


class PieceKind(IntEnum):
    TAKEOVER = 0
    SNAPSHOT = 1
    CHANGES = 2


class Entry(msgspec.Struct, array_like=True, gc=False):
    """One record of a changelog.

    ``snapshot_at``: offset where the latest complete snapshot begins (0: the beginning of the log).
    ``index``: place of the piece in its group. ``offsets``: topic -> next offset to read; present in the last piece of a group.
    ``read_to``: of a takeover, the offset up to which its writer has read. ``continues``: the next
    entry's payload belongs to the same piece.
    """

    epoch: int
    writer: str
    kind: PieceKind
    snapshot_at: int
    offsets: dict[str, int] | None = None
    payload: bytes = b""
    index: int = 0
    read_to: int = 0
    continues: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


@dataclass(slots=True)
class Restored:
    """What a changelog partition holds: pieces to load in order, and where to go on reading the inputs."""

    pieces: list[bytes] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)
    epoch: int = -1
    writer: str = ""
    end: int = 0
    snapshot_at: int = 0
    log_bytes: int = 0


def replay(log: Iterable[tuple[int, Entry]]) -> Restored:
    """Interpret a changelog from its latest snapshot on: (offset, entry) pairs in order."""
    chain: list[tuple[int, Entry]] = []
    epoch, writer = -1, ""
    for offset, entry in log:
        if entry.kind is PieceKind.TAKEOVER:
            if entry.epoch > epoch and entry.read_to == offset:
                epoch, writer = entry.epoch, entry.writer
        elif entry.epoch > epoch and not chain:
            # The log was trimmed behind the takeover: it begins with a snapshot of a later epoch.
            epoch, writer = entry.epoch, entry.writer
            chain.append((offset, entry))
        elif (entry.epoch, entry.writer) == (epoch, writer):
            chain.append((offset, entry))
    result = Restored(epoch=epoch, writer=writer)
    group: list[tuple[int, Entry]] = []
    for offset, entry in chain:
        if entry.index == 0:
            group = []
        if entry.index != len(group):
            continue  # a repeat by the producer, or the rest of a group whose writer died
        group.append((offset, entry))
        if entry.offsets is None:
            continue
        if entry.kind is PieceKind.SNAPSHOT:
            result.pieces = list(_joined(e for _, e in group))
            result.snapshot_at = group[0][0]
        elif payload := b"".join(e.payload for _, e in group):
            result.pieces.append(payload)
        result.offsets = entry.offsets
        group = []
    result.log_bytes = sum(map(len, result.pieces))
    return result


def _joined(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The pieces of a snapshot, as they were before they were cut to the size of a record."""
    parts: list[bytes] = []
    for entry in entries:
        parts.append(entry.payload)
        if not entry.continues:
            yield b"".join(parts)
            parts = []


class Overtaken(RuntimeError):
    """Another writer has taken the partition over: what this one appends is ignored, so it must not acknowledge anything more."""


class ChangelogWriter:
    """Appends the checkpoints of one partition. Made by :meth:`Changelog.take_over`.

    ``read`` gives what a reader would find now. Appending raises :class:`Overtaken` when that is no longer ours.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        writer: str,
        restored: Restored,
        read: Callable[[], Awaitable[Restored]],
    ) -> None:
        self._read = read
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._writer = writer
        self.epoch = restored.epoch + 1
        self._read_to = restored.end
        self._snapshot_at = restored.snapshot_at
        self._snapshot_bytes = 0
        self._log_bytes = restored.log_bytes
        self.next_offset = restored.end

    @property
    def snapshot_due(self) -> bool:
        """Whether the log has grown so far beyond the last snapshot that a new one is worth its
        bytes."""
        return self._log_bytes > max(SNAPSHOT_MIN_BYTES, SNAPSHOT_FACTOR * self._snapshot_bytes)

    def is_last(self, restored: Restored) -> bool:
        """Whether nobody else has written, or taken the partition over, before what this has written last."""
        return (restored.epoch, restored.end) == (self.epoch, self.next_offset)

    async def announce(self) -> bool:
        """Append the takeover; False if somebody has written since the log was read."""
        takeover = Entry(self.epoch, self._writer, PieceKind.TAKEOVER, self._snapshot_at, read_to=self._read_to)
        return await self._send([takeover]) == self._read_to

    async def append(self, offsets: Mapping[str, int], changes: bytes | None) -> None:
        """Append what changed, and the offsets; returns when the broker has stored it."""
        await self._send_as_owner(self._group(PieceKind.CHANGES, [changes or b""], offsets))
        self._log_bytes += len(changes or b"")

    async def append_snapshot(self, offsets: Mapping[str, int], pieces: Iterable[bytes]) -> int | None:
        """Append the whole state; returns the offset before which the log is no longer needed, None if another writer may need it."""
        entries = self._group(PieceKind.SNAPSHOT, list(pieces) or [b""], offsets)
        expected = self.next_offset
        first = await self._send_as_owner(entries)
        alone = (first, self.next_offset) == (expected, expected + len(entries))
        self._snapshot_at = first
        self._snapshot_bytes = self._log_bytes = sum(len(e.payload) for e in entries)
        # Readers start at the snapshot_at of the last record: say at once where this snapshot begins.
        await self._send(self._group(PieceKind.CHANGES, [b""], offsets))
        return first if alone else None

    def _group(self, kind: PieceKind, pieces: Sequence[bytes], offsets: Mapping[str, int]) -> list[Entry]:
        entries: list[Entry] = []
        for piece in pieces:
            for at in range(0, max(len(piece), 1), PIECE_BYTES):
                part = piece[at : at + PIECE_BYTES]
                entry = Entry(self.epoch, self._writer, kind, self._snapshot_at, None, part, len(entries))
                entry.continues = at + PIECE_BYTES < len(piece)
                entries.append(entry)
        entries[-1].offsets = dict(offsets)
        return entries

    async def _send_as_owner(self, entries: Sequence[Entry]) -> int:
        """Send; if the records do not follow our last one without a gap, look whether we are still the owner."""
        expected = self.next_offset
        first = await self._send(entries)
        if (first, self.next_offset) != (expected, expected + len(entries)):
            found = await self._read()
            if (found.epoch, found.writer) != (self.epoch, self._writer):
                raise Overtaken(f"{self._topic} {self._partition}: epoch {found.epoch} of {found.writer} came after our {self.epoch}")
        return first

    async def _send(self, entries: Iterable[Entry]) -> int:
        """Send in order, await all; returns the offset of the first."""
        first: int | None = None
        for entry in entries:
            # One at a time, so each is a batch of its own: the embedded broker reports the end of a partition as the
            # first offset of its last batch plus one, and readers rely on the end.
            stored = await self._producer.send_and_wait(self._topic, _encode(entry), partition=self._partition)
            first = stored.offset if first is None else first
            self.next_offset = stored.offset + 1
        assert first is not None, "a group has at least one entry"
        return first


class ChangelogDamaged(RuntimeError):
    """State cannot be restored from a log that has lost a part."""


def _damaged(batch: Unreadable) -> bool:
    raise ChangelogDamaged(
        f"{batch}. The state in this partition is not whole; docs/operations.md says what to do (Stopping, upgrading, losing things)"
    )


class Changelog:
    """The changelog topic of one agent: reads what is there and hands out writers."""

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, topic: str, *, trims: bool = True
    ) -> None:
        """``trims``: whether the broker can delete records; the embedded one panics when asked."""
        self._settings = settings
        self._trims = trims
        self._producer = producer
        self._topic = topic
        self._writer = uuid.uuid4().hex[:12]

    async def read(self, partitions: Sequence[int]) -> dict[int, Restored]:
        """State and offsets of each partition, read in batches from its latest snapshot."""
        if not partitions:
            return {}
        reader = new_reader(self._settings, unreadable=_damaged)
        await reader.start()
        try:
            tps = {p: TopicPartition(self._topic, p) for p in partitions}
            reader.assign(list(tps.values()))
            while (found := await _read_logs(reader, list(tps.values()))) is None:
                log.info("%s was trimmed while it was read; reading it again", self._topic)
        finally:
            await reader.stop()
        logs, ends = found
        result = {}
        for p, tp in tps.items():
            result[p] = replay(logs.get(tp, []))
            result[p].end = ends[tp]
        return result

    async def take_over(self, partition: int, restored: Restored) -> tuple[ChangelogWriter, Restored]:
        """A writer that continues what was read, and what that is: read again, should somebody have written meanwhile."""
        while True:
            read = partial(self._read_one, partition)
            writer = ChangelogWriter(self._producer, self._topic, partition, self._writer, restored, read)
            if await writer.announce():
                return writer, restored
            restored = await self._read_one(partition)

    async def _read_one(self, partition: int) -> Restored:
        return (await self.read([partition]))[partition]

    async def trim(self, before: Mapping[int, int]) -> None:
        """Delete what lies before the latest snapshots. Raises KafkaError if the broker cannot."""
        if not self._trims:
            return
        admin = await connect_admin(self._settings)
        try:
            await admin.delete_records(
                {TopicPartition(self._topic, p): RecordsToDelete(offset) for p, offset in before.items()}
            )
        finally:
            await admin.close()


Logs = dict[TopicPartition, list[tuple[int, Entry]]]


async def _read_logs(reader: Consumer, tps: list[TopicPartition]) -> tuple[Logs, dict[TopicPartition, int]] | None:
    """Each partition from its latest snapshot, and its end; None if a writer has trimmed one meanwhile."""
    begins, ends = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
    filled = [tp for tp in tps if ends[tp] > begins[tp]]
    for tp in filled:
        reader.seek(tp, ends[tp] - 1)
    last = await _read_to_end(reader, {tp: ends[tp] for tp in filled})
    if not all(last.values()):
        return None
    starts = {tp: max(begins[tp], last[tp][-1][1].snapshot_at) for tp in filled}
    for tp, start in starts.items():
        reader.seek(tp, start)
    logs = await _read_to_end(reader, {tp: ends[tp] for tp in filled})
    begins = await reader.beginning_offsets(tps)
    return None if any(begins[tp] > start for tp, start in starts.items()) else (logs, ends)


async def _read_to_end(
    reader: Consumer, ends: Mapping[TopicPartition, int]
) -> Logs:
    logs: Logs = {tp: [] for tp in ends}
    left = set(ends)
    for tp in reader.assignment() - left:
        reader.pause(tp)
    while left:
        for tp, records in (await reader.getmany(*left, timeout_ms=500)).items():
            logs[tp].extend((r.offset, _decode(r.value)) for r in records if r.offset < ends[tp])
        for tp in list(left):
            if await reader.position(tp) >= ends[tp]:
                left.discard(tp)
    return logs
