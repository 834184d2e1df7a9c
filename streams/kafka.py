"""Kafka clients as the settings ask for them, and the creation of topics."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from streams.fetching import Consumer, OnUnreadable, skip
from streams.reasons import reason
from streams.settings import Settings
from streams.topics import MAX_MESSAGE_BYTES, Topic

CLUSTER_ID_TRIES = 10
"""A second apart."""

EMBEDDED_CLUSTER = "mirante-embedded-"
"""How the cluster id of the embedded broker begins."""


class BrokerUnavailable(ConnectionError):
    """No broker answered; the message says where and what to check."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Connection options that every aiokafka client takes."""
    security = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": security.security_protocol,
    }
    if context := ssl_context(settings):
        options["ssl_context"] = context
    if security.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = security.sasl_mechanism
        options["sasl_plain_username"] = security.sasl_username
        options["sasl_plain_password"] = security.sasl_password
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS as the settings ask for it; None for plain connections."""
    security = settings.kafka
    if not security.security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=str(security.ssl_cafile) if security.ssl_cafile else None)
    if security.ssl_certfile:
        context.load_cert_chain(security.ssl_certfile, security.ssl_keyfile)
    return context


def new_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """A producer for which sent means stored: acknowledged by all replicas."""
    defaults: dict[str, Any] = {
        "acks": "all",
        "max_request_size": MAX_MESSAGE_BYTES,
        "max_batch_size": 512 * 1024,
        "request_timeout_ms": 30_000,
    }
    return AIOKafkaProducer(**client_options(settings), **{**defaults, **options})


def new_reader(settings: Settings, unreadable: OnUnreadable = skip) -> Consumer:
    """A consumer outside any group: reads the partitions it is told to."""
    return Consumer(
        **client_options(settings),
        unreadable=unreadable,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 * 1024 * 1024,
        fetch_max_bytes=64 * 1024 * 1024,
        fetch_max_wait_ms=100,
    )


def new_member(settings: Settings, topic: str, purpose: str, **options: Any) -> Consumer:
    """A consumer of the group ``GROUP.PURPOSE``, which shares the topic and says itself what it has done with."""
    return Consumer(
        topic,
        **client_options(settings),
        group_id=f"{settings.group}.{purpose}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **options,
    )


async def connect_admin(settings: Settings, timeout: float = 30.0) -> AIOKafkaAdminClient:
    """A started admin client; waits up to ``timeout`` seconds for a broker. Raises :class:`BrokerUnavailable`."""
    deadline = time.monotonic() + timeout
    while True:
        admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=30_000)
        try:
            await admin.start()
            return admin
        except (KafkaError, OSError) as error:
            await admin.close()
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"no Kafka broker answered at {settings.kafka_bootstrap} within {timeout:g} s ({reason(error)}); "
                    f"check MIRANTE_KAFKA_BOOTSTRAP or --kafka, and that the broker runs{_and_security(settings)}"
                ) from error
            await asyncio.sleep(0.3)


def _and_security(settings: Settings) -> str:
    """What else may be wrong: the client does not tell a refused login or certificate from a broker that is away."""
    protocol = settings.kafka.security_protocol
    if protocol == "PLAINTEXT":
        return ", and that it wants neither TLS nor a password (MIRANTE_KAFKA__SECURITY_PROTOCOL)"
    settled = ["MIRANTE_KAFKA__SECURITY_PROTOCOL"]
    if "SASL" in protocol:
        settled += [f"MIRANTE_KAFKA__SASL_{name}" for name in ("MECHANISM", "USERNAME", "PASSWORD")]
    if "SSL" in protocol:
        settled.append("MIRANTE_KAFKA__SSL_CAFILE (who signed its certificate)")
    return f" and agrees with {', '.join(settled)}"


async def ensure_topics(settings: Settings, topics: Sequence[Topic], *, wait: float = 30.0) -> list[str]:
    """Create the topics that do not exist yet; returns their names. Existing ones are left as they are. ``wait``: seconds for a broker.

    Raises :class:`TopicMismatch` when an existing topic has another number of partitions than Mirante's inputs must share.
    """
    admin = await connect_admin(settings, timeout=wait)
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            await _create(admin, missing, settings.replication)
        counts = await _partition_counts(admin, [topic.name for topic in topics])
    finally:
        await admin.close()
    wrong = {t.name: counts[t.name] for t in topics if t.name in counts and counts[t.name] != t.partitions}
    if wrong:
        raise TopicMismatch(
            f"these topics do not have {settings.partitions} partitions: {wrong}. All of Mirante's topics need the same number, "
            "because number p of each is processed together; set MIRANTE_PARTITIONS to theirs, or recreate them"
        )
    return [topic.name for topic in missing]


class TopicMismatch(ValueError):
    """Topics of different partition counts cannot be joined partition by partition."""


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication: int) -> None:
    # With fewer replicas in sync a write is not acknowledged: it could be lost with the one broker that has it.
    safe = {"min.insync.replicas": "2"} if replication >= 3 else {}
    new = [NewTopic(t.name, t.partitions, replication, topic_configs={**safe, **t.config}) for t in topics]
    try:
        response = await admin.create_topics(new)
    except TopicAlreadyExistsError:
        return  # another worker was quicker
    for name, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            raise KafkaError(f"cannot create topic {name}: {message[0] if message else code} (error code {code})")


async def _partition_counts(admin: AIOKafkaAdminClient, names: Sequence[str]) -> Mapping[str, int]:
    return {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(list(names)) if t["error_code"] == 0}


async def message_limits(settings: Settings, topics: Sequence[str]) -> dict[str, int]:
    """The largest message, in bytes, that each of these topics takes; one whose broker does not tell is left out."""
    admin = await connect_admin(settings)
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    return {
        name: int(entry[1])
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if code == 0
        for entry in entries
        if entry[0] == "max.message.bytes" and entry[1]
    }


async def followed(settings: Settings, topic: str) -> AsyncGenerator[list[Any] | None]:
    """The records of a topic from its start and as they come; ``None`` once, when all that was there at first has been given.

    Raises :class:`BrokerUnavailable`. Close it (``contextlib.aclosing``) when it is left early.
    """
    reader = new_reader(settings)
    try:
        await reader.start()
        # Asked for by name: a subscription would create a missing topic, with other settings than ours.
        tps = [TopicPartition(topic, p) for p in range(settings.partitions)]
        if topic not in await reader.topics():
            raise BrokerUnavailable(f"there is no topic {topic}; `mirante worker --prepare-only` creates it")
        reader.assign(tps)
        await reader.seek_to_beginning(*tps)
        behind = dict(await reader.end_offsets(tps))
        told = False
        while True:
            behind = {tp: end for tp, end in behind.items() if await reader.position(tp) < end}
            if not behind and not told:
                told = True
                yield None
            for records in (await reader.getmany(timeout_ms=200)).values():
                yield records
    except (KafkaError, OSError) as error:
        if isinstance(error, BrokerUnavailable):
            raise
        raise BrokerUnavailable(
            f"no Kafka broker at {settings.kafka_bootstrap} gave {topic} ({reason(error)}); check MIRANTE_KAFKA_BOOTSTRAP or --data"
        ) from error
    finally:
        await reader.stop()


async def committed_offsets(settings: Settings, topics: Sequence[str], timeout: float = 10.0) -> dict[TopicPartition, int]:
    """What the consumer group has committed of these topics; partitions without a commit are left out."""
    admin = await connect_admin(settings, timeout=timeout)
    try:
        # Named one by one: the embedded broker does not answer for "all partitions of the group".
        tps = [TopicPartition(topic, p) for topic in topics for p in range(settings.partitions)]
        found = await admin.list_consumer_group_offsets(settings.consumer_group, partitions=tps)
    finally:
        await admin.close()
    return {tp: entry.offset for tp, entry in found.items() if entry.offset >= 0}


async def end_offsets(settings: Settings, topics: Sequence[str]) -> dict[TopicPartition, int]:
    """The offset that the next record of each partition of these topics will have."""
    reader = new_reader(settings)
    await reader.start()
    try:
        tps = [TopicPartition(topic, p) for topic in topics for p in range(settings.partitions)]
        return dict(await reader.end_offsets(tps))
    finally:
        await reader.stop()


def by_topic(offsets: Mapping[TopicPartition, int]) -> dict[str, int]:
    """Offsets by partition, summed by topic."""
    total: dict[str, int] = {}
    for tp, offset in offsets.items():
        total[tp.topic] = total.get(tp.topic, 0) + offset
    return total


async def cluster_id(settings: Settings) -> str:
    """What the broker calls its cluster: rows made from its offsets carry this name, so it must be the same at each start. A broker
    that has just been started may not know it yet; one that never tells is "unknown"."""
    admin = await connect_admin(settings)
    try:
        for _ in range(CLUSTER_ID_TRIES):
            if name := (await admin.describe_cluster()).get("cluster_id"):
                return str(name)
            await asyncio.sleep(1.0)
        return "unknown"
    finally:
        await admin.close()
