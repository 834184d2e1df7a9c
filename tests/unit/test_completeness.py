"""Up to when everything has come: the slowest partition counts, an idle one vouches, one that is away holds time back."""

from __future__ import annotations

import msgspec

from agents.interactions.completeness import VOUCHES_AFTER, Completeness

NOW = 1_772_366_400.0


def test_the_slowest_counts_and_until_all_have_spoken_nobody_goes() -> None:
    read = Completeness(2)
    assert read.time == 0
    read.hear(0, NOW, False, 1)
    assert read.time == 0
    read.hear(1, NOW - 60, False, 1)
    assert read.time == NOW - 60


def test_an_idle_partition_vouches_for_what_others_had_read_before_it_said_so() -> None:
    read = Completeness(2)
    read.hear(1, NOW, True, 100)
    read.hear(0, NOW + 400, False, 101)
    assert read.time == NOW, "it may not have seen yet what was written just now"
    read.hear(0, NOW + 900, False, 110)
    read.hear(1, NOW + 10, True, 101 + VOUCHES_AFTER)
    assert read.time == NOW + 400
    read.hear(1, NOW + 20, True, 110 + VOUCHES_AFTER)
    assert read.time == NOW + 900


def test_one_that_is_away_vouches_for_nothing_new() -> None:
    """given a partition that was idle when its worker died, when others read on, then they wait for it."""
    read = Completeness(2)
    read.hear(0, NOW, True, 100)
    read.hear(1, NOW, True, 100)
    for n in range(50):
        read.hear(0, NOW + 10 * n, n % 2 == 0, 110 + 10 * n)
    assert read.time == NOW
    read.hear(1, NOW + 490, False, 1_000)
    assert read.time == NOW + 490


def test_time_does_not_go_back() -> None:
    read = Completeness(1)
    read.hear(0, NOW, True, 100)
    read.hear(0, NOW - 50, False, 101)
    assert read.time == NOW


def test_it_goes_on_where_it_was() -> None:
    read, again = Completeness(2), Completeness(2)
    read.hear(0, NOW, False, 100)
    again.load(read.take_changes())
    read.hear(1, NOW + 5, False, 101)
    again.load(msgspec.msgpack.decode(msgspec.msgpack.encode(read.take_changes()), type=list[tuple[int, float]]))  # type: ignore[arg-type]
    assert again.time == read.time == NOW
    assert read.take_changes() == [] and again.all() == read.all()


def test_it_is_at_rest_when_all_are_idle_and_have_vouched_for_the_furthest() -> None:
    read = Completeness(2)
    read.hear(0, NOW, True, 100)
    read.hear(1, NOW - 60, True, 101)
    assert not read.at_rest and not read.vouches(1, 0.0) and read.vouches(0, 0.0)
    read.hear(1, NOW - 60, True, 100 + VOUCHES_AFTER)
    assert read.at_rest and read.vouches(1, 0.0) and read.time == read.furthest == NOW
    read.hear(0, NOW + 1, False, 110)
    assert not read.at_rest


def test_it_rests_once_everybody_has_said_so_again() -> None:
    read = Completeness(2)
    read.hear(0, NOW, True, 100)
    read.hear(1, NOW, True, 101)
    read.hear(0, NOW, True, 110)
    assert read.at_rest and not read.rests(5.0), "the worker of 1 may have died with records before it"
    read.hear(1, NOW, True, 111)
    assert read.rests(5.0) and not read.rests(20.0)


def test_it_rests_no_more_when_somebody_has_something_to_read() -> None:
    read = Completeness(2)
    for written in (100, 110):
        read.hear(0, NOW, True, written)
        read.hear(1, NOW, True, written)
    read.stir(1)
    assert not read.at_rest and not read.rests(5.0)
    read.hear(0, NOW, True, 111)
    read.hear(1, NOW, True, 112)
    assert read.at_rest and not read.rests(5.0), "time begins anew"


def test_after_a_restart_an_idle_partition_vouches_for_what_was_known_before() -> None:
    read, again = Completeness(2), Completeness(2)
    read.hear(0, NOW, False, 100)
    read.hear(1, NOW - 60, False, 100)
    again.load(read.all())
    again.hear(1, NOW - 60, True, 200)
    assert again.time == NOW - 60, "the word may be older than what the state knows"
    again.hear(1, NOW - 60, True, 200 + VOUCHES_AFTER)
    assert again.time == NOW


def test_words_read_again_after_a_crash_do_not_vouch_for_what_was_read_after_they_were_written() -> None:
    """given a partition that was idle when nothing had been published, and another that has read since, when the state of a third is
    restored and hears that word again, then the first has not vouched for what it never read."""
    read, again = Completeness(2), Completeness(2)
    read.hear(0, NOW, False, 100)
    read.hear(1, NOW, True, 106)
    read.hear(0, NOW + 300, False, 107)
    again.load(read.all())
    again.hear(1, NOW, True, 108)
    assert again.time == NOW
    again.hear(1, NOW, True, 108 + VOUCHES_AFTER)
    assert again.time == NOW + 300
