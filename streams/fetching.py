"""A Kafka consumer that outlives what it cannot read: a batch of records with an unknown codec, a wrong checksum,
a payload that does not decompress, or records that break off.

aiokafka raises the error out of ``getmany`` and reads the same batch again, for ever. `Consumer` puts an `Unreadable` in
the place of the batch, or skips it, or refuses to go on, as its reader says; it then reads what follows the batch.
Records of the batch before the damage are delivered. It takes all codecs of Kafka, each within `MAX_UNCOMPRESSED`.

What is replaced, in aiokafka 0.14
----------------------------------
`Fetcher._proc_fetch_request`: what it makes of a response, `PartitionRecords` over a `MemoryRecords`, becomes `_Records`
over the bytes. Transactions are as in `PartitionRecords`. A consumer makes its fetcher when it starts and cannot be
given one, so the fetcher changes its class when it is made; none of its tasks has run then.

Not covered: a log that the broker itself cannot read. It answers with an error, and the partition waits.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from streams.decompress import Decompressor

log = logging.getLogger(__name__)

MAX_UNCOMPRESSED = 128 << 20
"""Bytes that a batch may have uncompressed; producers send some megabytes."""

MAX_KEPT = 16 << 20
"""Bytes kept of a batch that cannot be read: in base64, what the topic of dead letters takes."""

_LATEST_TIME = 4_102_444_800_000
"""Milliseconds of 2100-01-01. A time beyond it is damage."""

# A batch begins: base offset, length of what follows, leader epoch, format ("magic"), checksum, attributes,
# last offset delta, first and latest time, producer and its epoch, sequence, number of records.
_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH = struct.Struct(">i")
_BEFORE_LENGTH, _BEFORE_CONTENT, _MAGIC, _ATTRIBUTES = 8, 12, 16, 21
_LEAST_LEGACY = 14
_CODEC = 0x07
_CONTROL = 0x20


@dataclass
class Unreadable(ConsumerRecord[None, bytes]):  # type: ignore[misc]
    """Stands for the offsets from ``offset`` to ``last_offset`` of one batch; ``value``: its bytes, at most `MAX_KEPT`."""

    last_offset: int = -1
    reason: str = ""

    @property
    def count(self) -> int:
        """How many offsets."""
        return self.last_offset - int(self.offset) + 1

    def __str__(self) -> str:
        return f"{self.topic} {self.partition}: offsets {self.offset} to {self.last_offset} cannot be read ({self.reason})"


OnUnreadable = Callable[[Unreadable], bool]
"""Told of a batch that cannot be read. True: deliver it. False: go on behind it. What it raises ends the read."""


def skip(batch: Unreadable) -> bool:
    """Go on behind it, with a warning."""
    log.warning("skipped: %s", batch)
    return False


def deliver(batch: Unreadable) -> bool:
    """Deliver it in the place of its records."""
    return True


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """As aiokafka's; ``unreadable`` says what becomes of batches that cannot be read."""

    def __init__(self, *topics: str, unreadable: OnUnreadable = skip, **options: Any) -> None:
        self._on_unreadable = unreadable
        super().__init__(*topics, **options)

    @property
    def _fetcher(self) -> _Fetcher | None:
        return self._tolerant

    @_fetcher.setter
    def _fetcher(self, fetcher: Fetcher | None) -> None:
        if fetcher is not None:
            fetcher.__class__ = _Fetcher
            fetcher.adopt(self._on_unreadable)
        self._tolerant: _Fetcher | None = fetcher


class _Fetcher(Fetcher):  # type: ignore[misc]
    def adopt(self, on_unreadable: OnUnreadable) -> None:
        self._client: Any = _Client(self._client)
        self._on_unreadable = on_unreadable
        self._decompress = Decompressor(MAX_UNCOMPRESSED)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: FetchRequest) -> bool:
        try:
            fetched = bool(await super()._proc_fetch_request(assignment, node_id, request))
        finally:
            response = self._client.responses.pop(id(request), None)
        # Nobody has read of it: nothing was awaited since the response came.
        for topic, partitions in response.topics if fetched and response is not None else ():
            for partition, _, highwater, *_, raw in partitions:
                result = self._records.get(TopicPartition(topic, partition))
                if isinstance(result, FetchResult) and type(result._partition_records) is PartitionRecords:
                    made = result._partition_records
                    result._partition_records = _Records(made, raw, highwater, self._decompress, self._on_unreadable)
        return fetched


class _Client:
    """A client that keeps responses to fetches for a moment; otherwise the client it is given."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.responses: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        response = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            self.responses[id(request)] = response
        return response


class _Records(PartitionRecords):  # type: ignore[misc]
    """The records of one partition in one response, read when they are asked for."""

    def __init__(
        self, made: PartitionRecords, raw: bytes, highwater: int, decompress: Decompressor, on_unreadable: OnUnreadable
    ) -> None:
        self._raw, self._view = raw, memoryview(raw)
        self._highwater = highwater
        self._decompress = decompress
        self._on_unreadable = on_unreadable
        super().__init__(
            made._tp, None, made._aborted_transactions, made.next_fetch_offset, made._key_deserializer,
            made._value_deserializer, made._check_crcs, made._isolation_level,
        )  # fmt: skip

    def __iter__(self) -> Iterator[ConsumerRecord[bytes, bytes]]:
        return iter(self._records_iterator or ())

    def _unpack_records(self) -> Iterator[ConsumerRecord[bytes, bytes]]:
        at = 0
        while (end := self._end_of_batch(at)) is not None:
            try:
                yield from self._read_batch(at, end)
            except Exception as error:  # noqa: BLE001  # whatever the bytes bring about, what follows them must be read
                unreadable = self._unreadable(at, end, error)
                if unreadable is not None:
                    self.next_fetch_offset = unreadable.last_offset + 1
                    if self._on_unreadable(unreadable):
                        yield unreadable
            at = end

    def _end_of_batch(self, at: int) -> int | None:
        """None at the end of what the broker gave; its last batch may be cut off."""
        if len(self._raw) - at < _BEFORE_CONTENT + _LEAST_LEGACY:
            return None
        (length,) = _LENGTH.unpack_from(self._raw, at + _BEFORE_LENGTH)
        if length < _LEAST_LEGACY:
            return len(self._raw)  # nobody knows where the next one begins
        end = at + _BEFORE_CONTENT + int(length)
        return end if end <= len(self._raw) else None

    def _read_batch(self, at: int, end: int) -> Iterator[ConsumerRecord[bytes, bytes]]:
        batch = self._open(at, end)
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
                return
        following = batch.next_offset
        if following <= self.next_fetch_offset:
            return  # it is before what was asked for
        if batch.is_control_batch:
            self.next_fetch_offset = following
            return
        latest = -1
        for record in self._decompressed(batch, at, end):
            offset = record.offset
            if not latest < offset < following:
                raise ValueError(f"a record has the offset {offset}, after {latest} and before {following}")
            latest = offset
            if offset < self.next_fetch_offset:
                continue  # the batch begins before what was asked for
            consumer_record = self._consumer_record(self._tp, record)
            self.next_fetch_offset = offset + 1
            yield consumer_record
        self.next_fetch_offset = following  # behind records that compaction has removed, too

    def _open(self, at: int, end: int) -> Any:
        content, magic = self._view[at:end], self._raw[at + _MAGIC]
        if magic < 2:
            batch: Any = LegacyRecordBatch(content, magic)
        elif magic > 2:
            raise ValueError(f"there is no format {magic}")
        elif end - at < _HEADER.size:
            raise ValueError(f"its length is {end - at} bytes, less than its header has")
        else:
            batch = DefaultRecordBatch(content)
        if self._check_crcs and not batch.validate_crc():
            raise ValueError("wrong checksum (CRC)")
        return batch

    def _decompressed(self, batch: Any, at: int, end: int) -> Any:
        """The batch with its records readable. The old formats decompress themselves."""
        codec = batch.compression_type if isinstance(batch, DefaultRecordBatch) else 0
        if not codec:
            return batch
        header, begin = self._raw[at : at + _HEADER.size], at + _HEADER.size
        without_codec = struct.pack(">h", batch.attributes & ~_CODEC)
        payload = self._decompress(codec, self._raw[begin:end])
        return DefaultRecordBatch(b"".join((header[:_ATTRIBUTES], without_codec, header[_ATTRIBUTES + 2 :], payload)))

    def _unreadable(self, at: int, end: int, error: Exception) -> Unreadable | None:
        """None if nothing of it was asked for, or what was asked for is in the batch behind it."""
        raw, tp, first = self._raw[at:end], self._tp, self.next_fetch_offset
        base, last, attributes, time, producer = _said_by(raw)
        if attributes & _CONTROL:
            self._aborted_producers.discard(producer)  # the end of its transaction, whichever
        # The header may be what is damaged. Nothing behind the batch must be passed over for it.
        last = min(last, self._highwater - 1)
        if len(self._raw) - end >= _BEFORE_LENGTH:
            last = min(last, int.from_bytes(self._raw[end : end + _BEFORE_LENGTH], signed=True) - 1)
        if last < first:
            if last == first - 1 >= base:
                log.warning("%s %d: behind offset %d, the last of its batch: %s", tp.topic, tp.partition, last, error)
            return None
        first = max(first, base) if base <= last else first
        reason = str(error) or type(error).__name__
        if len(raw) > MAX_KEPT:
            reason = f"{reason}; of its {len(raw):,} bytes the first {MAX_KEPT:,} are kept"
        kept = raw[:MAX_KEPT]
        return Unreadable(
            tp.topic, tp.partition, first, time, 0, None, kept, None, -1, len(kept), (), last_offset=last, reason=reason
        )


def _said_by(raw: bytes) -> tuple[int, int, int, int, int]:
    """What the header of a batch says, if it has one: base and last offset, attributes, latest time (ms), producer."""
    (base,) = struct.unpack_from(">q", raw)
    if len(raw) < _HEADER.size or raw[_MAGIC] < 2:
        return base, base, 0, 0, -1
    base, _, _, _, _, attributes, last_delta, _, latest, producer, *_ = _HEADER.unpack_from(raw)
    return base, base + max(last_delta, 0), attributes, latest if 0 <= latest < _LATEST_TIME else 0, producer
