"""Where a worker goes on reading after it has restored the state of its agents."""

from __future__ import annotations

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.worker import where_to_begin

PARTIALS = TP("llm.internal.partials", 3)


def test_where_several_agents_read_a_topic_the_one_behind_counts() -> None:
    assert where_to_begin({PARTIALS: [7, 5]}, {}) == {PARTIALS: 5}


def test_an_agent_that_died_before_its_first_checkpoint_misses_nothing_that_another_has_read() -> None:
    """given two agents that read one topic, when one has no state yet, then the group's own position counts: nothing is committed before
    both have it."""
    assert where_to_begin({PARTIALS: [None, 5]}, {}) == {}


def test_a_backfill_begins_where_it_was_told_to_until_every_agent_has_read() -> None:
    assert where_to_begin({PARTIALS: [None, 50]}, {PARTIALS: 40}) == {PARTIALS: 40}
    assert where_to_begin({PARTIALS: [60, 50]}, {PARTIALS: 40}) == {PARTIALS: 50}


@given(st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=4))
def test_nobody_begins_behind_what_one_of_them_has_yet_to_read(offsets: list[int | None]) -> None:
    begin = where_to_begin({PARTIALS: offsets}, {}).get(PARTIALS, 0)
    assert all(begin <= (offset or 0) for offset in offsets)
