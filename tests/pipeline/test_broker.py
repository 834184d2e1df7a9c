"""What the pipeline asks of a broker, embedded or Apache Kafka; and what is particular to the embedded one."""

import asyncio
import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata

from deploy.embedded.broker import TansuBroker
from deploy.embedded.broker_api import Broker, cluster_metadata
from deploy.embedded.ports import LOOPBACK, free_port
from tests.kafka_clients import admin_client, consume, create_topic, group_member, produce, values

pytestmark = pytest.mark.asyncio(loop_scope="session")

THREE = [b"a", b"b", b"c"]


class TestEitherBroker:
    async def test_it_says_who_it_is(self, broker: Broker) -> None:
        assert broker.cluster_id
        assert (await cluster_metadata(broker.bootstrap)).cluster_id == broker.cluster_id

    async def test_a_topic_has_the_partitions_asked_for(self, broker: Broker, topic_prefix: str) -> None:
        topic = topic_prefix + "many"
        await create_topic(broker.bootstrap, topic, partitions=7, configs={"retention.ms": "-1"})
        async with admin_client(broker.bootstrap) as client:
            [described] = await client.describe_topics([topic])
        assert sorted(part["partition"] for part in described["partitions"]) == list(range(7))

    async def test_what_is_produced_is_consumed_in_order_with_key_time_and_headers(
        self, broker: Broker, topic_prefix: str
    ) -> None:
        topic = topic_prefix + "events"
        await create_topic(broker.bootstrap, topic)
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
            for n in range(100):
                headers = [("n", b"%d" % n), ("e", b"")]
                await producer.send(topic, b"%d" % n, key=b"k", timestamp_ms=1_700_000_000_000 + n, headers=headers)
        records = await consume(broker.bootstrap, topic, 100)
        assert values(records) == [b"%d" % n for n in range(100)]
        assert [record.offset for record in records] == list(range(100))
        assert records[3].key == b"k"
        assert records[3].timestamp == 1_700_000_000_003
        assert records[3].headers == (("n", b"3"), ("e", b""))

    async def test_a_20_mb_value_passes(self, broker: Broker, topic_prefix: str) -> None:
        topic, size = topic_prefix + "large", 20 * 1024 * 1024
        await create_topic(broker.bootstrap, topic)
        await produce(broker.bootstrap, topic, [bytes(size)], max_request_size=size + 1024)
        [record] = await consume(broker.bootstrap, topic, 1, max_partition_fetch_bytes=size + 1024)
        assert len(record.value) == size

    async def test_a_group_goes_on_where_it_committed(self, broker: Broker, topic_prefix: str) -> None:
        topic, group = topic_prefix + "events", topic_prefix + "group"
        await create_topic(broker.bootstrap, topic)
        await produce(broker.bootstrap, topic, THREE)
        assert values(await consume(broker.bootstrap, topic, 3, group_id=group)) == THREE
        await produce(broker.bootstrap, topic, [b"d"])
        assert values(await consume(broker.bootstrap, topic, 1, group_id=group)) == [b"d"]

    async def test_members_share_partitions_and_generations_only_grow(self, broker: Broker, topic_prefix: str) -> None:
        topic, group = topic_prefix + "events", topic_prefix + "group"
        await create_topic(broker.bootstrap, topic, partitions=4)
        async with group_member(broker.bootstrap, topic, group_id=group) as first:
            before = generation(first)
            async with group_member(broker.bootstrap, topic, group_id=group) as second:
                await assigned(first, 2)
                await assigned(second, 2)
                assert first.assignment().isdisjoint(second.assignment())
                assert before < generation(first) == generation(second)
            # Not both at once: see TestEmbeddedBroker.test_a_group_whose_members_leave_together_is_lost.
            await assigned(first, 4)
        last = generation(first)
        async with group_member(broker.bootstrap, topic, group_id=group) as later:
            await assigned(later, 4)
            assert generation(later) > last, "also after the group has been empty"

    async def test_a_member_of_an_older_generation_cannot_commit(self, broker: Broker, topic_prefix: str) -> None:
        topic, group = topic_prefix + "events", topic_prefix + "group"
        await create_topic(broker.bootstrap, topic)
        async with group_member(broker.bootstrap, topic, group_id=group) as member:
            await assigned(member, 1)
            [partition] = member.assignment()
            await member.commit({partition: 1})
            member._coordinator.generation += 7
            with pytest.raises(CommitFailedError):
                await member.commit({partition: 2})
            assert await member.committed(partition) == 1


class TestEmbeddedBroker:
    async def test_a_restart_is_a_new_and_empty_cluster_at_the_same_address(self, tmp_path: Path) -> None:
        async with TansuBroker(log_dir=tmp_path) as broker:
            address, first_id = broker.bootstrap, broker.cluster_id
            await create_topic(address, "events")
            await produce(address, "events", THREE)
            await broker.stop()
            await broker.start()
            assert broker.bootstrap == address
            assert broker.cluster_id != first_id
            assert (await cluster_metadata(address)).cluster_id == broker.cluster_id
            async with admin_client(address) as client:
                assert await client.list_topics() == []

    async def test_a_kill_is_noticed(self, tmp_path: Path) -> None:
        async with TansuBroker(log_dir=tmp_path) as broker:
            watch = asyncio.create_task(broker.wait())
            await broker.kill()
            assert str(await asyncio.wait_for(watch, 5)) == "kafka was ended by SIGKILL"
            assert not broker.alive

    async def test_a_port_in_use_is_refused_at_once(self, tmp_path: Path) -> None:
        with (
            socket.create_server((LOOPBACK, free_port())) as other,
            pytest.raises(OSError, match="wanted for the Kafka broker, is in use"),
        ):
            TansuBroker(log_dir=tmp_path, port=other.getsockname()[1])

    async def test_where_it_differs_from_apache_kafka(self, tmp_path: Path) -> None:
        """Not wishes but facts the pipeline must not trip over. When one of these fails, the broker has improved."""
        async with TansuBroker(log_dir=tmp_path) as broker:
            await produce(broker.bootstrap, "unheard-of", THREE)  # springs into being
            partition = TopicPartition("unheard-of", 0)
            reader = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, group_id="g", auto_offset_reset="none")
            reader.assign([partition])
            await reader.start()
            try:
                await reader.commit({partition: OffsetAndMetadata(2, "note")})
                committed = await reader._coordinator.fetch_committed_offsets([partition])
                assert committed == {partition: OffsetAndMetadata(2, "")}

                found = (await reader.offsets_for_times({partition: 4_000_000_000_000}))[partition]
                assert found.offset == 0, "Apache Kafka: no record is that late"

                reader.seek(partition, 500)
                assert await reader.getmany(timeout_ms=500) == {}, "Apache Kafka: OffsetOutOfRange"
            finally:
                await reader.stop()

    async def test_a_group_whose_members_leave_together_is_lost(self, tmp_path: Path) -> None:
        """The defect to know about when workers are stopped while the broker goes on."""
        async with TansuBroker(log_dir=tmp_path) as broker:
            await create_topic(broker.bootstrap, "events", partitions=2)
            async with (
                group_member(broker.bootstrap, "events", group_id="g") as first,
                group_member(broker.bootstrap, "events", group_id="g") as second,
            ):
                await assigned(first, 1)
                await assigned(second, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(6), group_member(broker.bootstrap, "events", group_id="g"):
                    pass


def generation(member: AIOKafkaConsumer) -> int:
    return int(member._coordinator.generation)


async def assigned(member: AIOKafkaConsumer, partitions: int) -> None:
    async with asyncio.timeout(20):
        while len(member.assignment()) != partitions:
            await member.getmany(timeout_ms=100)
