"""What producers choose, and what no reader can read: all codecs are read, and a batch that is broken costs nothing but itself."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.codec import zstd_encode
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from deploy.cli.controls import read_controls
from deploy.embedded.broker_api import Broker
from deploy.judge.settings import JudgeSettings
from deploy.judge.worker import judge_tasks
from schemas.outputs import Control
from streams.backfill import plan
from streams.changelog import Changelog, ChangelogDamaged, Entry, PieceKind
from streams.kafka import ensure_topics, new_producer
from streams.partitioner import partition_of
from streams.settings import Settings
from streams.topics import Topics
from tests.fixtures_brokers import broker_kind
from tests.installation import NOW, Installation, Sent, request, response, unique
from tests.kafka_clients import produce, read_all
from tests.pipeline.test_forwarding import StandIn, eventually, forwarding, publish, stand_in
from tests.pipeline.test_pipeline import COST, INTERACTIONS
from tests.raw_batches import CODECS, append_unreadable, batch, produce_raw, with_payload
from tests.unit.test_fetching import DAMAGED
from tests.unit.test_forward import alert

__all__ = ["stand_in"]

apache_only = pytest.mark.skipif(broker_kind() != "apache", reason="the embedded broker has no such thing")


def pair(call: str, tenant: str) -> list[Sent]:
    return [Sent("requests", request(call, tenant=tenant, session_id=call), call),
            Sent("responses", response(call, tenant=tenant, session_id=call), call)]  # fmt: skip


def row(call: str) -> tuple[Any, ...]:
    return (call, "ok", "gpt-4o-mini", 1000, COST)


def librdkafka(mirante: Installation, **config: Any) -> Producer:
    return Producer({"bootstrap.servers": mirante.bootstrap, "linger.ms": 50, **config})


def send(mirante: Installation, producer: Producer, records: Sequence[Sent]) -> None:
    failed: list[Any] = []
    for record in records:
        value = json.dumps(record.value).encode()
        producer.produce(
            mirante.prefix + record.topic, value, record.key, headers=list(record.headers) or None,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )  # fmt: skip
    assert producer.flush(30) == 0 and not failed, failed


def health(mirante: Installation) -> tuple[int, dict[str, Any]]:
    with urllib.request.urlopen(f"{mirante.stack.metrics_urls[0]}/health") as answer:
        return answer.status, json.loads(answer.read())


def metric(mirante: Installation, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    with urllib.request.urlopen(f"{mirante.stack.metrics_urls[0]}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    found = [line for line in lines if line.startswith((name + "{", name + " ")) and all(w in line for w in wanted)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


@pytest.mark.parametrize("codec", CODECS)
def test_a_producer_of_another_make_chooses_the_codec(mirante: Installation, codec: str) -> None:
    # Given calls of which librdkafka compresses many together
    tenant = unique(codec)
    calls = sorted(f"{tenant}-{n:02}" for n in range(40))

    # When
    send(mirante, librdkafka(mirante, **{"compression.type": codec}), [sent for call in calls for sent in pair(call, tenant)])

    # Then
    mirante.eventually(INTERACTIONS, [row(call) for call in calls], tenant=tenant)


@apache_only
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_the_topic_chooses_the_codec(mirante: Installation, codec: str) -> None:
    # Given topics whose broker compresses whatever comes
    admin = AdminClient({"bootstrap.servers": mirante.bootstrap})
    chosen = ConfigEntry("compression.type", codec, incremental_operation=AlterConfigOpType.SET)
    for topic in ("requests", "responses"):
        resource = ConfigResource("topic", mirante.prefix + topic, incremental_configs=[chosen])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result(30)

    # When
    tenant = unique(codec)
    mirante.publish(pair(f"{tenant}-1", tenant))

    # Then
    mirante.eventually(INTERACTIONS, [row(f"{tenant}-1")], tenant=tenant)


@apache_only
@pytest.mark.parametrize("codec", CODECS)
def test_of_transactions_only_what_was_committed_counts(mirante: Installation, codec: str) -> None:
    # Given a compressed transaction that is aborted, and one with the same calls in other words that is committed
    tenant, call = unique("tx"), unique("call")
    producer = librdkafka(mirante, **{"transactional.id": unique("tx"), "compression.type": codec})
    producer.init_transactions(30)
    for model, end in (("gpt-4o", producer.abort_transaction), ("gpt-4o-mini", producer.commit_transaction)):
        asked, answered = pair(call, tenant)
        asked = asked._replace(value={**asked.value, "model": model}, headers=[("traceparent", b"00-a-b-01")])  # type: ignore[dict-item]
        producer.begin_transaction()
        send(mirante, producer, [asked, answered])
        end(30)

    # Then
    mirante.eventually(INTERACTIONS, [row(call)], tenant=tenant)


class TestUnreadable:
    def test_it_is_a_dead_letter_and_what_follows_is_processed(self, broker: Broker, mirante: Installation) -> None:
        # Given a batch of five requests that cannot be read, before calls in the same partition
        tenant, call = unique("after"), unique("call")
        partition = partition_of(call.encode(), 4)
        topic = f"{mirante.prefix}requests"
        raw, first = asyncio.run(append_unreadable(broker, topic, partition, 5))
        before = {worker.pid for worker in mirante.stack.workers}

        # When
        mirante.publish(pair(call, tenant))

        # Then the calls are processed, by a worker that has not ended
        mirante.eventually(INTERACTIONS, [row(call)], tenant=tenant, within=60)
        assert {worker.pid for worker in mirante.stack.workers} == before

        # And the batch is one dead letter that says where, why and what
        letters = "SELECT partition, offset, stage, reason FROM mirante.deadletter WHERE topic = {topic:String} AND stage = 'fetch' " \
                  "AND partition = {partition:Int32} AND offset = {offset:Int64}"
        reason = f"offsets {first} to {first + 4}: a batch that cannot be read: wrong checksum (CRC)"
        mirante.eventually(letters, [(partition, first, "fetch", reason)], topic=topic, partition=partition, offset=first)
        published = [json.loads(r.value) for r in asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}deadletter"))]
        mine = [x for x in published if (x["topic"], x["partition"], x["offset"], x["stage"]) == (topic, partition, first, "fetch")]
        assert {b64decode(x["value"])[17:] for x in mine} == {raw[17:]}
        assert [b64decode(value) for _, value in mine[0]["headers"]] == [str(first + 4).encode()]

        # And the worker is ready, says what it could not read, and counts it
        status, said = health(mirante)
        assert (status, said["ready"]) == (200, True)
        assert f"{topic} {partition}: offsets {first} to {first + 4} cannot be read (wrong checksum (CRC))" in said["problems"]
        assert metric(mirante, "mirante_unreadable_records_total", topic=topic) >= 5
        assert metric(mirante, "mirante_dead_letters_total", stage="fetch") >= 1
        assert metric(mirante, "mirante_lag", topic=topic, partition=str(partition)) == 0

    def test_at_the_end_of_a_partition_and_over_a_crash_it_is_one_dead_letter(self, broker: Broker, tmp_path: Path) -> None:
        with Installation(broker.bootstrap, tmp_path) as mirante:
            topic = f"{mirante.prefix}feedback"
            letters = f"SELECT offset, count() FROM mirante.deadletter WHERE topic = '{topic}' GROUP BY offset"
            # Given nothing in a partition but what cannot be read
            asyncio.run(append_unreadable(broker, topic, 1, 3))
            mirante.eventually(letters, [(0, 1)], within=60)
            # When the worker is killed at that
            [worker] = mirante.stack.workers
            worker.signal(signal.SIGKILL)
            asyncio.run(worker.kill())
            asyncio.run(worker.start())
            # Then it goes on behind it
            feedback = {"event_id": "f", "time": request("x")["time"], "kind": "thumbs_up", "request_id": "none", "tenant": "one"}
            mirante.publish([Sent("feedback", feedback, "none")])
            mirante.eventually("SELECT count() FROM mirante.feedback", [(1,)], within=60)
            assert mirante.query(letters) == [(0, 1)]

    @pytest.mark.skipif(broker_kind() != "embedded", reason="Apache Kafka refuses what is broken")
    def test_whatever_is_broken_and_how_much_it_would_become_the_worker_goes_on(self, mirante: Installation) -> None:
        # Given batches broken in every way, and one that would become 300 MB
        tenant, topic = unique("all"), f"{mirante.prefix}evaluations"
        bomb = with_payload(batch([b"v"]), zstd_encode(bytes(300 << 20)), CODECS["zstd"])
        left_out = {"there is no codec 5", "unconsumed bytes"}  # refused, and counted anew, by the embedded broker
        broken = [*(raw for reason, (raw, _) in DAMAGED.items() if reason not in left_out), bomb]
        firsts = [asyncio.run(produce_raw(mirante.bootstrap, topic, raw, 2)) for raw in broken]
        # When
        good = {"event_id": unique("e"), "time": request("x")["time"], "response_id": "r", "name": "n", "score": 1, "tenant": tenant}
        mirante.publish([Sent("evaluations", good, unique("k"))])
        behind = json.dumps({**good, "event_id": unique("e")}).encode()
        asyncio.run(produce_raw(mirante.bootstrap, topic, batch([behind], time=round(NOW.timestamp() * 1000)), 2))
        # Then
        mirante.eventually("SELECT count() FROM mirante.evaluations WHERE tenant = {tenant:String}", [(2,)], tenant=tenant, within=60)
        letters = "SELECT count(), countIf(reason LIKE '%more than 134,217,728 bytes%'), max(offset) FROM mirante.deadletter " \
                  "WHERE topic = {topic:String} AND stage = 'fetch'"
        mirante.eventually(letters, [(len(broken), 1, firsts[-1])], topic=topic)


PARTITIONS = 2


@pytest_asyncio.fixture
async def settings(broker: Broker, topic_prefix: str) -> Settings:
    found = Settings(kafka_bootstrap=broker.bootstrap, topic_prefix=topic_prefix, group=topic_prefix, partitions=PARTITIONS)
    await ensure_topics(found, Topics.of(found).all())
    return found


class TestOtherReaders:
    """They have nobody to give a dead letter to: they say so and go on."""

    async def test_forward_tells_what_follows(
        self, broker: Broker, settings: Settings, stand_in: tuple[StandIn, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given alerts of which some cannot be read
        server, url = stand_in
        topic = Topics.of(settings).alerts
        firsts = [(await append_unreadable(broker, topic, partition, 2))[1] for partition in range(PARTITIONS)]
        # When
        rows = [{"type": "webhook", "url": f"{url}/hook"}, {"type": "alertmanager", "url": f"{url}/am"}]
        async with forwarding(settings, *rows):
            await publish(settings, alert())
            await eventually(lambda: bool(server.posts["/hook"] and server.posts["/am/api/v2/alerts"]), lambda: server.posts)
        # Then
        assert server.posts["/hook"][0]["data"]["alert_id"] == "a1"
        for partition, first in enumerate(firsts):
            assert f"skipped: {topic} {partition}: offsets {first} to {first + 1} cannot be read" in caplog.text

    async def test_a_judge_scores_what_follows(self, broker: Broker, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
        topics = Topics.of(settings)
        await append_unreadable(broker, topics.judge_tasks, 0, 2)
        await produce(broker.bootstrap, topics.judge_tasks, [b"no task"])
        counts = await judge_tasks(settings, JudgeSettings(url="http://127.0.0.1:9", model="m"), until_idle=3)
        assert counts["unreadable"] == 1, counts
        assert f"skipped: {topics.judge_tasks} 0: offsets 0 to 1" in caplog.text

    async def test_the_command_line_shows_the_switches_that_follow(
        self, broker: Broker, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        topics = Topics.of(settings)
        await append_unreadable(broker, topics.controls, 0, 1)
        control = Control(scope="global", action="kill", time=datetime(2026, 3, 1, tzinfo=UTC))
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            await producer.send_and_wait(topics.controls, msgspec.json.encode(control), key=b"global", partition=0)
        controls, faults = await read_controls(settings)
        assert not faults and [one.scope for one in controls] == ["global"]
        assert f"skipped: {topics.controls} 0: offsets 0 to 0" in caplog.text

    async def test_a_backfill_finds_where_to_begin(self, broker: Broker, settings: Settings) -> None:
        topics = Topics.of(settings)
        begun = datetime.now(UTC) - timedelta(minutes=1)
        await produce(broker.bootstrap, topics.requests, [b"{}"] * 3)
        await append_unreadable(broker, topics.requests, 0, 4)
        found = await plan(settings, begun)
        assert found.starts[TopicPartition(topics.requests, 0)] == 0

    async def test_state_that_is_damaged_is_an_error_that_says_where(self, broker: Broker, settings: Settings) -> None:
        # Given a changelog of which one batch is broken
        topic = Topics.of(settings).changelog("cost")
        async with new_producer(settings) as producer:
            changelog = Changelog(settings, producer, topic)
            writer, _ = await changelog.take_over(0, (await changelog.read([0]))[0])
            await writer.append({"events": 1}, b"change")
            _, first = await append_unreadable(broker, topic, 0, 1)
            await produce(broker.bootstrap, topic, [msgspec.msgpack.encode(Entry(9, "another", PieceKind.CHANGES, 0))])
            # Then nobody takes what is left of it for the state
            with pytest.raises(ChangelogDamaged, match=rf"{topic} 0: offsets {first} to {first} cannot be read.*docs/operations.md"):
                await Changelog(settings, producer, topic).read([0])
