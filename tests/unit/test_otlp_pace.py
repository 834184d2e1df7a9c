"""How far topics have been read, in Kafka's times: given records and silence, when partitions tell each other, then the slowest counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.otlp.pace import AHEAD, SURE, Pace
from agents.otlp.parcels import ReadClock

TOPICS = ("spans", "logs")
NOON = 1_772_366_400_000
REACH = 30_000


def pace(partition: int = 0, partitions: int = 2, wall: Callable[[], float] = lambda: NOON / 1_000 + 1e6) -> Pace:
    return Pace(partition, partitions, TOPICS, REACH, wall)


def test_a_records_time_never_goes_back() -> None:
    one = pace()
    assert [one.written("spans", NOON + at) for at in (5, 9, 7, 12)] == [NOON + 5, NOON + 9, NOON + 9, NOON + 12]


def test_a_kafka_time_that_has_not_come_yet_is_none() -> None:
    one = pace(wall=lambda: NOON / 1_000)
    assert one.written("spans", NOON + 3_600_000) == NOON + AHEAD
    assert one.written("spans", NOON + 10) == NOON + AHEAD


def test_nothing_is_known_until_all_have_spoken_and_then_the_slowest_counts() -> None:
    one = pace()
    for topic in TOPICS:
        one.written(topic, NOON)
    assert one.time == 0
    one.hear(ReadClock(1, NOON - 50, NOON - 50, 0))
    assert one.time == NOON - 50
    one.hear(ReadClock(1, NOON - 80, NOON - 80, 0))  # once more after a crash
    assert one.time == NOON - 50
    one.hear(ReadClock(1, NOON + 90, NOON + 90, 0))
    assert one.time == NOON


def test_what_a_partition_said_before_a_crash_does_not_vouch_for_what_it_has_not_read_again() -> None:
    one = pace()
    one.hear(ReadClock(0, NOON + 99, NOON + 99, NOON))
    one.hear(ReadClock(1, NOON + 99, NOON + 99, NOON))
    assert one.time == 0
    for topic in TOPICS:
        one.written(topic, NOON + 1)
    assert one.time == NOON + 1


def test_a_silent_topic_goes_on_with_the_wall_clock_behind_what_anybody_has_read() -> None:
    # Given a partition that was never written to, and another one that says how far it is
    one = pace(partition=1)
    one.hear(ReadClock(0, NOON, NOON, 0))
    one.pass_time(100.0, {})
    assert one.news(0) is None
    # When both its topics are read to their ends
    silent = dict.fromkeys(TOPICS, 4.0)
    one.pass_time(100.0, silent)
    assert one.news(0) == ReadClock(1, NOON - SURE, 0, 0)
    one.pass_time(112.0, silent)
    # Then it vouches for what was read some seconds ago, and its time goes on
    assert one.say(0) == ReadClock(1, NOON + 12_000 - SURE, 0, 0)
    # but not for ever: nothing that waits needs more
    one.pass_time(10_000.0, silent)
    assert one.say(0) == ReadClock(1, NOON + REACH, 0, 0)
    one.pass_time(20_000.0, silent)
    assert one.news(0) is None


@pytest.mark.parametrize("silent", [{}, {"logs": 9.0}])
def test_a_topic_that_has_more_to_read_holds_time_back(silent: dict[str, float]) -> None:
    one = pace()
    one.written("spans", NOON)
    one.hear(ReadClock(1, NOON + 60_000, NOON + 60_000, 0))
    one.pass_time(100.0, silent)
    one.pass_time(200.0, silent)
    assert one.time == (NOON if silent else 0)


def test_it_is_restored_from_its_changes() -> None:
    one, other = pace(), pace()
    for topic in TOPICS:
        one.written(topic, NOON)
    one.hear(ReadClock(1, NOON + 5, NOON + 5, NOON - 9))
    other.load(one.read, one.newest, one.take_changes())
    assert (other.time, other.told(NOON), other.newest) == (one.time, one.told(NOON), NOON)
    assert one.take_changes() == []
