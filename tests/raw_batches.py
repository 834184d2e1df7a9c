"""Kafka record batches, byte by byte: what no client writes, brokers may hold all the same."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Sequence

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer

from deploy.embedded.broker_api import Broker
from deploy.kafka.apache import ApacheKafka

HEADER = 61
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
COMPRESS = {"gzip": gzip_encode, "snappy": snappy_encode, "lz4": lz4_encode, "zstd": zstd_encode}
_TIME = 1_780_000_000_000


def batch(values: Sequence[bytes], base: int = 0, *, codec: str = "none", time: int = _TIME) -> bytes:
    """A sound batch whose records have the offsets from ``base`` on, and a millisecond each from ``time`` on."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for number, value in enumerate(values):
        builder.append(number, timestamp=time + number, key=b"k", value=value, headers=[])
    plain = bytes(builder.build())
    if codec != "none":
        plain = with_payload(plain, COMPRESS[codec](plain[HEADER:]), CODECS[codec])
    return struct.pack(">q", base) + plain[8:]


def with_payload(sound: bytes, payload: bytes, codec: int) -> bytes:
    """The same header over other bytes, with the right length and checksum."""
    raw = bytearray(sound[:HEADER] + payload)
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">h", raw, 21, codec)
    return with_checksum(raw)


def with_checksum(raw: bytes | bytearray) -> bytes:
    """The batch with the checksum of what it has become."""
    raw = bytearray(raw)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def patched(raw: bytes, at: int, new: bytes, *, checksum: bool = True) -> bytes:
    """The batch with other bytes at a place; without ``checksum`` it keeps the old one."""
    raw = raw[:at] + new + raw[at + len(new) :]
    return with_checksum(raw) if checksum else raw


async def produce_raw(bootstrap: str, topic: str, raw: bytes, partition: int = 0) -> int:
    """Have a broker append a batch as it is; returns its first offset. Raises the broker's error if it refuses."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        async with asyncio.timeout(30):
            while True:
                leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
                if leader not in (None, -1):
                    answer = await client.send(leader, ProduceRequest(None, -1, 10_000, [(topic, [(partition, raw)])]))
                    _, code, first, *_ = answer.topics[0][1][0]
                    if not code:
                        return int(first)
                    if not for_code(code).retriable:
                        raise for_code(code)()
                await asyncio.sleep(0.1)  # the topic is young
                await client.force_metadata_update()
    finally:
        await client.close()


async def append_unreadable(broker: Broker, topic: str, partition: int, count: int) -> tuple[bytes, int]:
    """Have a topic hold a batch of ``count`` records with a wrong checksum; its bytes, and its first offset."""
    values = [b"record %d" % n for n in range(count)]
    if isinstance(broker, ApacheKafka):
        return await asyncio.to_thread(_broken_on_disk, broker, topic, partition, values)
    sound = batch(values)
    raw = patched(sound, sound.index(b"record 0"), b"RECORD 0", checksum=False)
    first = await produce_raw(broker.bootstrap, topic, raw, partition)
    return struct.pack(">q", first) + raw[8:], first


def _broken_on_disk(broker: ApacheKafka, topic: str, partition: int, values: Sequence[bytes]) -> tuple[bytes, int]:
    """Apache Kafka refuses what is broken: its disk breaks it, in a transaction, so that nobody reads it before."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic, "linger.ms": 100})
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, b"k", partition=partition)
    assert producer.flush(30) == 0
    [log] = broker._data_dir.glob(f"node-1/{topic}-{partition}/*.log")
    with log.open("r+b") as file:
        whole = file.read()
        at = whole.rindex(b"record 0")
        file.seek(at)
        file.write(b"RECORD 0")
    producer.commit_transaction(30)
    begin = [found for found in _begins(whole) if found < at][-1]
    (length,) = struct.unpack_from(">i", whole, begin + 8)
    raw = whole[begin : begin + 12 + length].replace(b"record 0", b"RECORD 0")
    return raw, int.from_bytes(raw[:8])


def _begins(log: bytes) -> Iterator[int]:
    """Where the batches of a log begin."""
    at = 0
    while at + HEADER <= len(log) and (length := struct.unpack_from(">i", log, at + 8)[0]):
        yield at
        at += 12 + length
