"""``mirante forward``: each receiver reads ``llm.alerts`` for itself, so none waits for another.

PagerDuty, Slack and webhooks are told of events, each in turn and at least once: the place in the topic is committed to the group
``GROUP.forward.RECEIVER`` when the receiver has taken or refused it. Alertmanager is told the state (``mirror``), which needs no place.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from agents.alerts.agent import alert_settings
from deploy.forward.delivery import ReceiverAnswer, delay, new_session, post
from deploy.forward.mirror import Mirror
from deploy.forward.payloads import RESEND_SECONDS, request_for
from deploy.forward.receivers import Alertmanager, Receiver
from schemas.outputs import Alert
from streams.fetching import Consumer
from streams.kafka import BrokerUnavailable, cluster_id, connect_admin, new_member, new_reader
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)

MAX_AGE = 86_400.0
"""Seconds after which an alert that could not be delivered is given up: nobody wants to be woken by yesterday."""

RECONNECT_SECONDS = 5.0
STOPPING = (signal.SIGTERM, signal.SIGINT)
MAX_ALERTS_PER_POST = 500
MAX_REMEMBERED = 10_000

_decode = msgspec.json.Decoder(Alert).decode


async def forward_alerts(settings: Settings, receivers: Sequence[Receiver]) -> None:
    """Forward until cancelled, or told to by SIGTERM or SIGINT. Raises BrokerUnavailable when Kafka cannot be reached at the start."""
    topic = Topics.of(settings).alerts
    if not alert_settings(settings.alerts).runbooks.startswith(("http://", "https://")):
        log.warning(
            "alerts.runbooks is no address of the web, so alerts link to no runbook; set it to the dashboard's /runbooks or to your own"
        )
    admin = await connect_admin(settings)
    try:
        if topic not in await admin.list_topics():
            raise BrokerUnavailable(f"there is no topic {topic}; `mirante worker --prepare-only` creates it")
    finally:
        await admin.close()
    secret = (settings.pii_secret or await cluster_id(settings)).encode()
    loop = asyncio.get_running_loop()
    async with new_session() as session:
        kinds = [Mirrored if isinstance(receiver, Alertmanager) else EventListener for receiver in receivers]
        channels = [kind(settings, topic, receiver, session, secret) for kind, receiver in zip(kinds, receivers, strict=True)]
        running = asyncio.gather(*(channel.run() for channel in channels))
        told_to_stop = asyncio.Event()

        def stop() -> None:
            told_to_stop.set()
            running.cancel()

        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            await running
        except asyncio.CancelledError:
            if not told_to_stop.is_set():
                raise
        finally:
            for number in STOPPING:
                loop.remove_signal_handler(number)
            for channel in channels:
                log.info("%s: %s", channel.name, ", ".join(f"{n} {what}" for what, n in sorted(channel.counts.items())) or "nothing to do")


class _Channel(ABC):
    """The way to one receiver. ``counts``: alerts delivered, refused and failed (each try, and each reminder, counts), given_up,
    unwanted and unreadable."""

    def __init__(self, settings: Settings, topic: str, receiver: Receiver, session: aiohttp.ClientSession, secret: bytes) -> None:
        """``secret``: of the tags that stand for users."""
        self._secret = secret
        self._language = alert_settings(settings.alerts).language
        self.name = receiver.name
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._topic = topic
        self._receiver = receiver
        self._session = session
        self._chance = random.Random()

    async def run(self) -> None:
        """Until cancelled; when Kafka is away, again and again."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("%s: cannot read %s (%s); trying again in %.0f s", self.name, self._topic, error, RECONNECT_SECONDS)
                await asyncio.sleep(RECONNECT_SECONDS)

    @abstractmethod
    async def _read(self) -> None:
        """Read alerts and deliver them, until Kafka fails."""

    def _alert_of(self, record: Any) -> Alert | None:
        """The alert of a record; one that cannot be read is passed over, for the others' sake."""
        try:
            return _decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.counts["unreadable"] += 1
            log.warning("%s: %s %d/%d is no alert: %s", self.name, record.topic, record.partition, record.offset, error)
            return None

    async def _post(self, alerts: Sequence[Alert], delivered: int = logging.INFO) -> ReceiverAnswer:
        """``delivered``: log level of a success."""
        request = request_for(self._receiver, alerts, datetime.now(UTC), self._secret, self._language)
        answer = await post(self._session, request)
        level = delivered if answer.result == "delivered" else logging.WARNING
        log.log(level, "%s: %s %s %s", self.name, answer.result, ", ".join(request.alert_ids), answer.detail)
        self.counts[answer.result] += len(alerts)
        return answer


class EventListener(_Channel):
    """A receiver of events."""

    async def _read(self) -> None:
        # A receiver may be away for as long as an alert is worth delivering; that must not cost us the partitions.
        patience = round(2 * MAX_AGE * 1000)
        consumer = new_member(self._settings, self._topic, f"forward.{self.name}", max_poll_interval_ms=patience)
        done: dict[tuple[str, str, datetime], None] = {}
        await consumer.start()
        try:
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=1000, max_records=100)).items():
                    for record in records:
                        alert = self._alert_of(record)
                        if alert is not None:
                            step = (alert.alert_id, alert.status, alert.updated_at)
                            if step not in done and await self._tell(alert, record.timestamp / 1000):
                                done[step] = None
                                await self._commit(consumer, tp, record.offset + 1)
                            while len(done) > MAX_REMEMBERED:
                                del done[next(iter(done))]
                    await self._commit(consumer, tp, records[-1].offset + 1)
        finally:
            await consumer.stop()

    async def _tell(self, alert: Alert, written: float) -> bool:
        """Deliver an alert, however long it takes within ``MAX_AGE``; whether anything was sent."""
        if not self._receiver.wants(alert):
            self.counts["unwanted"] += 1
            return False
        attempt = 0
        while time.time() - written < MAX_AGE:
            attempt += 1
            answer = await self._post([alert])
            if answer.result != "failed":
                return True
            await asyncio.sleep(delay(attempt, answer, self._chance))
        self.counts["given_up"] += 1
        log.warning("%s: gave up %s %s after a day", self.name, alert.name, alert.alert_id)
        return False

    async def _commit(self, consumer: Consumer, tp: TopicPartition, offset: int) -> None:
        try:
            await consumer.commit({tp: offset})
        except CommitFailedError:
            log.info("%s: %s %d went to another forwarder; it may repeat an alert", self.name, tp.topic, tp.partition)


class Mirrored(_Channel):
    """An Alertmanager."""

    async def _read(self) -> None:
        mirror = Mirror(self._receiver)
        reader = new_reader(self._settings)
        await reader.start()
        try:
            tps = [TopicPartition(self._topic, p) for p in range(self._settings.partitions)]
            reader.assign(tps)
            await reader.seek_to_beginning(*tps)
            ends = await reader.end_offsets(tps)
            while any([await reader.position(tp) < end for tp, end in ends.items()]):
                self._apply(mirror, await reader.getmany(timeout_ms=200))
            attempt, due, news = 0, time.monotonic(), True
            while True:
                wait = max(due - time.monotonic(), 0.0)
                if self._apply(mirror, await reader.getmany(timeout_ms=round(wait * 1000))):
                    news = True
                    due = due if attempt else time.monotonic()
                if time.monotonic() < due:
                    continue
                answer = await self._tell(mirror, logging.INFO if news else logging.DEBUG)
                news = answer.result == "failed"
                attempt = attempt + 1 if answer.result == "failed" else 0
                due = time.monotonic() + (delay(attempt, answer, self._chance) if attempt else RESEND_SECONDS)
        finally:
            await reader.stop()

    def _apply(self, mirror: Mirror, batches: dict[TopicPartition, list[Any]]) -> bool:
        """Whether there was anything new."""
        for records in batches.values():
            for record in records:
                if (alert := self._alert_of(record)) is not None:
                    mirror.apply(alert, record.timestamp / 1000)
        return bool(batches)

    async def _tell(self, mirror: Mirror, delivered: int) -> ReceiverAnswer:
        """Post everything; the first failure ends it, the next try begins from the start."""
        alerts = mirror.alerts(time.time())
        answer = ReceiverAnswer("delivered")
        for at in range(0, len(alerts), MAX_ALERTS_PER_POST):
            answer = await self._post(alerts[at : at + MAX_ALERTS_PER_POST], delivered)
            if answer.result == "failed":
                return answer
        return answer
