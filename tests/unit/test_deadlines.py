"""Deadlines of the join: in order, each once, whether they were near or far when they were set."""

from __future__ import annotations

import math
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from agents.interactions.join import _Deadlines

MOMENTS = st.floats(min_value=-3.0, max_value=30.0, allow_nan=False)
IDS = st.sampled_from("abcdefgh")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), MOMENTS | st.just(math.inf), IDS),
        st.tuples(st.just("settle"), IDS),
        st.tuples(st.just("passed"), MOMENTS),
        st.tuples(st.just("first")),
    ),
    max_size=60,
)


@given(STEPS)
def test_what_still_waits_comes_in_order_and_once(steps: list[tuple[Any, ...]]) -> None:
    waiting: dict[str, Any] = {}
    deadlines = _Deadlines(cast("dict[str, Any]", waiting), {})
    due_of_waiting: set[tuple[float, str]] = set()  # others may come too: entries of what was settled are discarded lazily
    for kind, *values in steps:
        if kind == "add":
            waiting[values[1]] = None
            deadlines.add(*values)
            due_of_waiting.add((values[0], values[1]))
        elif kind == "settle":
            waiting.pop(values[0], None)
            due_of_waiting = {entry for entry in due_of_waiting if entry[1] != values[0]}
        elif kind == "passed":
            passed = list(deadlines.passed(values[0]))
            assert passed == sorted(set(passed))
            assert [entry for entry in passed if entry in due_of_waiting] == sorted(e for e in due_of_waiting if e[0] <= values[0])
            due_of_waiting = {entry for entry in due_of_waiting if entry[0] > values[0]}
        elif due_of_waiting:
            while (first := deadlines.first()) not in due_of_waiting:
                assert first is not None
                deadlines.drop_first()
            assert first == min(due_of_waiting)


def test_what_is_added_while_deadlines_pass_passes_too() -> None:
    deadlines = _Deadlines(cast("dict[str, Any]", {"a": None, "b": None}), {})
    deadlines.add(1.0, "a")
    seen = []
    for due, name in deadlines.passed(10.5):
        seen.append((due, name))
        if name == "a":
            deadlines.add(9.7, "b")
    assert seen == [(1.0, "a"), (9.7, "b")]
