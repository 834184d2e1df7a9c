"""When a stack is said to have processed everything."""

from __future__ import annotations

from aiokafka import TopicPartition

from deploy.embedded.stack import all_durable

WRITTEN = {TopicPartition("llm.requests", 0): 10, TopicPartition("llm.requests", 1): 5, TopicPartition("llm.internal.x", 0): 0}


def test_each_partition_is_at_its_end_whoever_reads_it() -> None:
    status = [{"durable": {"llm.requests": {"0": 10}}}, {"durable": {"llm.requests": {"1": 7}}}]
    assert all_durable(WRITTEN, status)


def test_what_one_partition_read_since_does_not_make_up_for_what_another_has_yet_to_read() -> None:
    assert not all_durable(WRITTEN, [{"durable": {"llm.requests": {"0": 14, "1": 4}}}])


def test_a_partition_of_which_nothing_is_known_is_behind() -> None:
    assert not all_durable(WRITTEN, [{"durable": {"llm.requests": {"0": 10}}}])
