"""Batch partitioning agrees with aiokafka's murmur2, key by key."""

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.partitioner import murmur2, partition_of, partitions_of


@given(st.lists(st.binary(max_size=90), max_size=60), st.integers(1, 1000))
@settings(max_examples=300, deadline=None)
def test_agrees_with_aiokafka(keys: list[bytes], n: int) -> None:
    everywhere = list(range(n))
    expected = [DefaultPartitioner()(key, everywhere, everywhere) for key in keys]
    assert partitions_of(keys, n).tolist() == expected
    assert [partition_of(key, n) for key in keys] == expected


@pytest.mark.parametrize("length", range(71))
def test_every_length(length: int) -> None:
    rng = random.Random(length)
    keys = [rng.randbytes(length) for _ in range(50)] + [b"\xff" * length, b"\x80" * length, b"\0" * length]
    assert [murmur2(key) for key in keys] == [reference(key) for key in keys]
    assert partitions_of(keys, 97).tolist() == [(reference(key) & 0x7FFFFFFF) % 97 for key in keys]


def test_mixed_lengths_with_a_rogue_key() -> None:
    rng = random.Random(7)
    keys = [rng.randbytes(rng.choice([0, 1, 3, 36, 64, 255, 256, 257, 5000])) for _ in range(400)]
    assert partitions_of(keys, 24).tolist() == [(reference(key) & 0x7FFFFFFF) % 24 for key in keys]


def test_known_values_of_the_java_client() -> None:
    """From `UtilsTest.testMurmur2` of Apache Kafka."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
             b"a-little-bit-longer-string": -1486304829,
             b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, b"abc": 479470107}
    assert {key: murmur2(key) for key in known} == {key: value & 0xFFFFFFFF for key, value in known.items()}


def test_nothing_to_do() -> None:
    assert partitions_of([], 8).tolist() == []
    assert partitions_of([b"a", b"b"], 1).tolist() == [0, 0]
