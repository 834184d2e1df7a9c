"""The ledger never passes unfinished work, reaches the end when all is done, and never goes back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ledger import OffsetLedger

A = ("a", 0)
B = ("a", 1)

#: Batches as (gap before, records, gap inside at the end): compaction and transaction markers leave both kinds of gap.
batches = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 20), st.integers(0, 3)), min_size=1, max_size=25)


def spans(shape: list[tuple[int, int, int]], at: int) -> list[tuple[int, int]]:
    out = []
    for before, count, after in shape:
        first = at + before
        at = first + count + after
        out.append((first, at))
    return out


@given(batches, st.integers(0, 1000), st.data())
@settings(max_examples=300, deadline=None)
def test_any_order_of_acks(shape: list[tuple[int, int, int]], at: int, data: Any) -> None:
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    todo = spans(shape, at)
    open_: list[tuple[int, int]] = []
    finished: set[int] = set()
    seen: int | None = None
    delivered: list[tuple[int, int]] = []
    while todo or open_:
        if todo and (not open_ or data.draw(st.booleans())):
            span = todo.pop(0)
            ledger.delivered(A, *span)
            open_.append(span)
            delivered.append(span)
        else:
            span = open_.pop(data.draw(st.integers(0, len(open_) - 1)))
            assert ledger.done(A, span[0])
            finished.add(span[0])
            assert not ledger.done(A, span[0])
        offset = ledger.committable(A)
        expected = None
        for first, following in delivered:
            if first not in finished:
                break
            expected = following
        assert offset == expected
        if seen is not None:
            assert offset is not None
            assert offset >= seen
        seen = offset
        assert ledger.unfinished == len(open_)
    assert seen == spans(shape, at)[-1][1]


@given(batches, st.sets(st.integers(0, 24)), st.sets(st.integers(0, 24)))
@settings(max_examples=200, deadline=None)
def test_forgotten_work_stays_unfinished(shape: list[tuple[int, int, int]], take: set[int], finish: set[int]) -> None:
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    other = ledger.delivered(B, 5, 9, 100)
    deliveries = [ledger.delivered(A, *span, 10) for span in spans(shape, 0)]
    for i, delivery in enumerate(deliveries):
        if i in take:
            ledger.take(delivery)
        if i in finish:
            ledger.complete(delivery)
    unfinished = [d for d in deliveries if not d.done]
    assert ledger.taken == sum(d.taken for d in unfinished) == len(list(ledger.in_progress()))
    assert ledger.forget([A]) == unfinished
    assert ledger.committable(A) is None
    assert (ledger.unfinished, ledger.unfinished_size, ledger.taken) == (1, 100, 0)

    again = [ledger.delivered(A, *span, 10) for span in spans(shape, 0)]  # the same offsets, delivered anew
    assert not any(ledger.complete(delivery) for delivery in deliveries)
    assert ledger.committable(A) is None
    assert all(ledger.complete(delivery) for delivery in again)
    assert ledger.committable(A) == again[-1].next
    assert ledger.complete(other)
    assert ledger.committable(B) == 9
    assert (ledger.unfinished, ledger.unfinished_size, ledger.taken) == (0, 0, 0)


def test_a_batch_in_the_middle_holds_the_commit_back() -> None:
    """Faust's own bookkeeping committed 30 here (FAUST-NOTES 2)."""
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    for first in (0, 10, 20):
        ledger.delivered(A, first, first + 10)
    ledger.done(A, 0)
    ledger.done(A, 20)
    assert ledger.committable(A) == 10
    ledger.done(A, 10)
    assert ledger.committable(A) == 30


def test_start_makes_restored_work_committable() -> None:
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    ledger.start(A, 40)
    assert ledger.committable(A) == 40
    with pytest.raises(ValueError, match="does not follow"):
        ledger.delivered(A, 39, 41)
    delivery = ledger.delivered(A, 42, 44)
    with pytest.raises(ValueError, match="open"):
        ledger.start(A, 50)
    assert ledger.committable(A) == 40
    ledger.complete(delivery)
    assert ledger.committable(A) == 44
    assert ledger.tps() == [A]


def test_only_an_untouched_last_delivery_is_withdrawn() -> None:
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    one, two = ledger.delivered(A, 0, 5, 3), ledger.delivered(A, 5, 9, 4)
    assert not ledger.withdraw(one)
    assert ledger.withdraw(two)
    assert not two.live
    assert (ledger.unfinished, ledger.unfinished_size) == (1, 3)
    ledger.take(one)
    assert not ledger.withdraw(one)
    assert ledger.delivered(A, 5, 9).live


def test_out_of_order_delivery_is_refused() -> None:
    ledger: OffsetLedger[tuple[str, int]] = OffsetLedger()
    ledger.delivered(A, 0, 5)
    for span in [(4, 6), (5, 5)]:
        with pytest.raises(ValueError, match="does not follow"):
            ledger.delivered(A, *span)
