"""Up to when everything has come: the slowest partition counts, an idle one vouches, one that is away holds time back."""

from __future__ import annotations

import msgspec

from agents.interactions.completeness import VOUCHES_AFTER, Completeness, Reading

NOW = 1_772_366_400.0


def test_the_slowest_counts_and_until_all_have_spoken_nobody_goes() -> None:
    read = Completeness(2)
    assert read.time == 0
    read.hear(Reading(0, NOW, False), 1)
    assert read.time == 0
    read.hear(Reading(1, NOW - 60, False), 1)
    assert read.time == NOW - 60


def test_an_idle_partition_vouches_for_what_others_had_read_before_it_said_so() -> None:
    read = Completeness(2)
    read.hear(Reading(1, NOW, True), 100)
    read.hear(Reading(0, NOW + 400, False), 101)
    assert read.time == NOW, "it may not have seen yet what was written just now"
    read.hear(Reading(0, NOW + 900, False), 110)
    read.hear(Reading(1, NOW + 10, True), 101 + VOUCHES_AFTER)
    assert read.time == NOW + 400
    read.hear(Reading(1, NOW + 20, True), 110 + VOUCHES_AFTER)
    assert read.time == NOW + 900


def test_one_that_is_away_vouches_for_nothing_new() -> None:
    """given a partition that was idle when its worker died, when others read on, then they wait for it."""
    read = Completeness(2)
    read.hear(Reading(0, NOW, True), 100)
    read.hear(Reading(1, NOW, True), 100)
    for n in range(50):
        read.hear(Reading(0, NOW + 10 * n, n % 2 == 0), 110 + 10 * n)
    assert read.time == NOW
    read.hear(Reading(1, NOW + 490, False), 1_000)
    assert read.time == NOW + 490


def test_time_does_not_go_back() -> None:
    read = Completeness(1)
    read.hear(Reading(0, NOW, True), 100)
    read.hear(Reading(0, NOW - 50, False), 101)
    assert read.time == NOW


def test_it_goes_on_where_it_was() -> None:
    read, again = Completeness(2), Completeness(2)
    read.hear(Reading(0, NOW, False), 100)
    again.load(read.take_changes())
    read.hear(Reading(1, NOW + 5, False), 101)
    again.load(msgspec.msgpack.decode(msgspec.msgpack.encode(read.take_changes()), type=list[tuple[int, float]]))  # type: ignore[arg-type]
    assert again.time == read.time == NOW
    assert read.take_changes() == [] and again.all() == read.all()
