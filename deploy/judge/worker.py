"""`mirante judge`: tasks in, scores out, at least once; a score's identity follows from its task, so a repeat changes nothing.

The place in the topic is committed to the group ``GROUP.judge`` when the scores of a batch are written.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import CommitFailedError

from deploy.forward import delivery
from deploy.judge.question import NoVerdict, evaluation, payload, verdict
from deploy.judge.settings import JudgeSettings
from schemas.events import Evaluation
from schemas.outputs import JudgeTask
from streams.kafka import ensure_topics, new_member, new_producer
from streams.settings import Settings
from streams.topics import Topics

log = logging.getLogger(__name__)

BATCH = 100

_decode = msgspec.json.Decoder(JudgeTask).decode
_encode = msgspec.json.Encoder().encode


class JudgeClient:
    """Asks one endpoint. ``counts``: judged, failed (left out after all tries), unreadable."""

    def __init__(self, session: aiohttp.ClientSession, settings: JudgeSettings) -> None:
        self._session = session
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._chance = random.Random()
        self.counts: Counter[str] = Counter()

    async def scores(self, values: Iterable[bytes | None]) -> list[Evaluation]:
        """The scores of these tasks."""
        asked = []
        for value in values:
            try:
                task = _decode(value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.counts["unreadable"] += 1
                log.warning("left out a record that is no task: %s", error)
                continue
            asked += [self._score(task, criterion) for criterion in task.criteria]
        return [found for found in await asyncio.gather(*asked) if found is not None]

    async def _score(self, task: JudgeTask, criterion: str) -> Evaluation | None:
        body = _encode(payload(task, criterion, self._settings.model))
        for attempt in range(1, self._settings.tries + 1):
            async with self._slots:
                answer, text = await self._ask(body)
            if answer.result == "delivered":
                try:
                    found = verdict(text)
                except NoVerdict as error:
                    answer = delivery.ReceiverAnswer("failed", str(error))
                else:
                    self.counts["judged"] += 1
                    return evaluation(task, criterion, self._settings.model, found)
            if answer.result == "refused" or attempt == self._settings.tries:
                break
            await asyncio.sleep(delivery.delay(attempt, answer, self._chance))
        self.counts["failed"] += 1
        log.error("%s of response %s left out: %s", criterion, task.response_id, answer.detail)
        return None

    async def _ask(self, body: bytes) -> tuple[delivery.ReceiverAnswer, bytes]:
        headers = {"Content-Type": "application/json"}
        if self._settings.key:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        url = f"{self._settings.url.rstrip('/')}/chat/completions"
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                text = await response.read()
                shown = text[: delivery.MAX_DETAIL].decode(errors="replace")
                return delivery.judge(response.status, shown, response.headers.get("Retry-After"), datetime.now(UTC)), text
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return delivery.ReceiverAnswer("failed", f"{type(error).__name__}: {error}"[: delivery.MAX_DETAIL]), b""


async def judge_tasks(settings: Settings, judge: JudgeSettings, *, until_idle: float | None = None) -> Counter[str]:
    """Judge until cancelled, or until nothing has come for ``until_idle`` seconds; returns the counts.

    Several may run: the group shares the partitions among them.
    """
    topics = Topics.of(settings)
    await ensure_topics(settings, [topic for topic in topics.all() if topic.name == topics.judge_tasks])
    consumer = new_member(
        settings, topics.judge_tasks, "judge",
        session_timeout_ms=int(settings.session_timeout * 1000), max_poll_interval_ms=3_600_000,
    )  # fmt: skip
    producer = new_producer(settings)
    await producer.start()
    try:
        await consumer.start()
        timeout = aiohttp.ClientTimeout(total=judge.timeout)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            asking = JudgeClient(session, judge)
            idle = 0.0
            while until_idle is None or idle < until_idle:
                batches = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
                idle = 0.0 if batches else idle + 1.0
                if not batches:
                    continue
                values = [record.value for records in batches.values() for record in records]
                await _publish(producer, topics.evaluations, await asking.scores(values))
                try:
                    await consumer.commit({tp: records[-1].offset + 1 for tp, records in batches.items()})
                except CommitFailedError as error:
                    log.warning("another judge has taken over a partition; its tasks are judged again, to the same ids: %s", error)
            return asking.counts
    finally:
        await consumer.stop()
        await producer.stop()


async def _publish(producer: AIOKafkaProducer, topic: str, events: Iterable[Evaluation]) -> None:
    pending = []
    for event in events:
        key = (event.session_id or event.request_id or event.response_id).encode()
        pending.append(await producer.send(topic, _encode(event), key=key))
    await asyncio.gather(*pending)
