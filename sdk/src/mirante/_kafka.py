"""Events to Kafka and controls from it, for ``mirante-sdk[kafka]``.

aiokafka is asyncio; its loop runs in a thread of its own here, so that publishing works the same in
programs with and without a loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from mirante._sending import Event, Outcome

T = TypeVar("T")

_SEND_TIMEOUT = 30.0


def require() -> None:
    """Raises ImportError saying what to install."""
    try:
        import aiokafka  # noqa: F401
    except ImportError as error:
        raise ImportError("Kafka needs: pip install 'mirante-sdk[kafka]'") from error


METADATA_SECONDS = 10.0
"""Until a broker must have said which partitions a topic has."""


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)


class KafkaSender:
    """See :class:`mirante._sending.Sender`. A record's key is ``session_id``, else ``request_id``;
    its partition murmur2 of the key, as Java's clients choose it."""

    def __init__(self, bootstrap: str, options: Mapping[str, Any], prefix: str) -> None:
        require()
        self.name = f"Kafka {bootstrap}"
        self._options = {"bootstrap_servers": bootstrap, **options}
        self._prefix = prefix
        self._loop = _Loop("mirante-kafka")
        self._producer: Any = None

    def send(self, events: Sequence[Event]) -> Outcome:
        try:
            faults = self._loop.run(self._send(events), _SEND_TIMEOUT + 5)
        except Exception as error:  # noqa: BLE001 - whatever the client says, the batch is kept
            self._drop_producer()
            return Outcome.later(f"{self.name}: {type(error).__name__}: {error}")
        if not faults:
            return Outcome.stored()
        from aiokafka.errors import MessageSizeTooLargeError

        first = faults[0]
        why = f"{self.name}: {type(first).__name__}: {first}"
        if all(isinstance(fault, MessageSizeTooLargeError) for fault in faults):
            return Outcome.refused(why)
        self._drop_producer()
        return Outcome.later(why)

    async def _send(self, events: Sequence[Event]) -> list[BaseException]:
        producer = await self._started()

        async def deliver(event: Event) -> None:
            key = event.key.encode("utf-8", "replace") or None
            await producer.send_and_wait(self._prefix + event.topic, event.value, key=key)

        deliveries = asyncio.gather(*map(deliver, events), return_exceptions=True)
        results = await asyncio.wait_for(deliveries, _SEND_TIMEOUT)
        return [result for result in results if isinstance(result, BaseException)]

    async def _started(self) -> Any:
        if self._producer is None:
            from aiokafka import AIOKafkaProducer

            producer = AIOKafkaProducer(
                acks="all", max_request_size=17 << 20, request_timeout_ms=10_000, **self._options
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    def _drop_producer(self) -> None:
        """A client that has failed is replaced: it may hold on to brokers that are gone."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                self._loop.run(producer.stop(), 5.0)
            except Exception:  # noqa: BLE001, S110 - it is given up either way
                pass

    def close(self) -> None:
        self._drop_producer()
        self._loop.close()


class KafkaControls:
    """Follows the compacted topic of controls from its start."""

    def __init__(self, bootstrap: str, options: Mapping[str, Any], topic: str) -> None:
        require()
        self.name = f"Kafka {bootstrap}"
        self._options = {"bootstrap_servers": bootstrap, **options}
        self._topic = topic

    def follow(
        self,
        record: Callable[[bytes | None, bytes | None], None],
        known: Callable[[], None],
        ended: Callable[[], bool],
    ) -> None:
        """Hand on every record; ``known`` once all that was there at the start has been read.
        Returns when ``ended``; raises what the client raises."""
        asyncio.run(self._follow(record, known, ended))

    async def _follow(
        self,
        record: Callable[[bytes | None, bytes | None], None],
        known: Callable[[], None],
        ended: Callable[[], bool],
    ) -> None:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        consumer = AIOKafkaConsumer(
            group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=100, request_timeout_ms=10_000, **self._options,
        )  # fmt: skip
        try:
            await consumer.start()
            # Asked of all topics: to ask for one by its name may create it.
            if self._topic not in await consumer.topics():
                raise ConnectionError(f"there is no topic {self._topic}")
            # The client learns a topic's partitions only once it reads one of them.
            consumer.assign([TopicPartition(self._topic, 0)])
            patience = time.monotonic() + METADATA_SECONDS
            while not (numbers := consumer.partitions_for_topic(self._topic)):
                if time.monotonic() > patience:
                    raise ConnectionError(f"the broker does not say what {self._topic} consists of")
                await asyncio.sleep(0.05)
            partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            begins = await consumer.beginning_offsets(partitions)
            for partition in partitions:
                consumer.seek(partition, begins[partition])
            open_ends = {p for p in partitions if begins[p] < ends[p]}
            told = False
            while not ended():
                if not told and not open_ends:
                    known()
                    told = True
                batches = await consumer.getmany(timeout_ms=200)
                for partition, records in batches.items():
                    for message in records:
                        record(message.key, message.value)
                    if await consumer.position(partition) >= ends[partition]:
                        open_ends.discard(partition)
        finally:
            await consumer.stop()
