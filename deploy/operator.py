"""What an operator says, written to Kafka at once: switches, silences, acceptances."""

from __future__ import annotations

import getpass
from typing import NamedTuple

import msgspec
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from agents.controls.fold import AUTHOR_HEADER
from schemas.outputs import Control
from streams.effects import Headers, OutgoingMessage
from streams.kafka import BrokerUnavailable, new_producer
from streams.reasons import reason
from streams.settings import Settings
from streams.topics import Topics

WAIT_SECONDS = 10.0
"""Until a word is given up because no broker takes it."""


class Position(NamedTuple):
    """Where a record was written."""

    partition: int
    offset: int


def author() -> str:
    """Who runs this, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user without a name


async def write_control(settings: Settings, control: Control, author: str) -> Position:
    """Write a control where every reader looks for its scope; the audit keeps ``author``.

    Raises as :func:`write` does.
    """
    # The client's own partitioner, that of Kafka's Java clients, is the one the agent uses.
    return await write(
        settings,
        Topics.of(settings).controls,
        control.scope.encode(),
        msgspec.json.encode(control),
        headers=((AUTHOR_HEADER, author.encode()),),
    )


async def write_message(settings: Settings, message: OutgoingMessage) -> Position:
    """Write a message to its own partition. Raises as :func:`write` does."""
    return await write(
        settings,
        message.topic,
        message.key or b"",
        message.value,
        partition=message.partition,
        headers=message.headers,
    )


async def write(
    settings: Settings,
    topic: str,
    key: bytes,
    value: bytes,
    *,
    partition: int | None = None,
    headers: Headers = (),
) -> Position:
    """Write one record and wait until all replicas hold it.

    Without ``partition`` the key decides, as it does for Kafka's Java clients. Raises
    :class:`~streams.kafka.BrokerUnavailable` that says what to check.
    """
    producer = new_producer(settings, request_timeout_ms=round(WAIT_SECONDS * 1000))
    try:
        await producer.start()
        record = await producer.send_and_wait(
            topic, value, key=key, partition=partition, headers=list(headers)
        )
        return Position(record.partition, record.offset)
    # AssertionError: aiokafka's word for a topic that does not have the partition
    except (KafkaTimeoutError, UnknownTopicOrPartitionError, AssertionError) as error:
        raise BrokerUnavailable(
            f"{topic} took no record within {WAIT_SECONDS:.0f} s; `mirante doctor` says whether "
            "the topic and its brokers are there"
        ) from error
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"no Kafka broker at {settings.kafka_bootstrap} took the record ({reason(error)}); "
            "check MIRANTE_KAFKA_BOOTSTRAP or --data"
        ) from error
    finally:
        await producer.stop()
