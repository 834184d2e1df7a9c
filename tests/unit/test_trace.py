"""The tree of a trace: given steps with parents, when it is made, then each is shown once, below its parent, with what it all cost."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.trace import tree_of

Step = dict[str, Any]


def step(name: str, parent: str = "", *, cost: float | None = 0.5, at: int = 0, trace: str = "t") -> Step:
    return {"request_id": name, "span_id": name, "parent_span_id": parent, "trace_id": trace, "time": f"{at:03}", "cost_usd": cost}


def shape(roots: list[Step]) -> list[Any]:
    return [(s["request_id"], shape(s["children"])) for s in roots]


def test_steps_hang_below_their_parents_in_the_order_of_time() -> None:
    tool, inner = step("tool", "agent", at=3, cost=None), step("inner", "tool", at=4, cost=0.25)
    [root] = tree_of([tool, step("chat", "agent", at=2), step("agent", at=1), inner])
    assert shape([root]) == [("agent", [("chat", []), ("tool", [("inner", [])])])]
    assert root["total_cost_usd"] == 1.25
    assert root["children"][1]["total_cost_usd"] == 0.25


def test_a_step_whose_parent_is_not_there_is_a_root_and_an_unknown_cost_is_none() -> None:
    roots = tree_of([step("a", "elsewhere", cost=None), step("b", "a", trace="other", cost=None)])
    assert shape(roots) == [("a", []), ("b", [])]
    assert [root["total_cost_usd"] for root in roots] == [None, None]


def test_a_circle_of_parents_is_cut() -> None:
    assert shape(tree_of([step("a", "c", at=1), step("b", "a", at=2), step("c", "b", at=3), step("self", "self", at=4)])) == [
        ("c", [("a", [("b", [])])]),
        ("self", []),
    ]


def test_an_agent_may_nest_deeply() -> None:
    [root] = tree_of([step(str(n), str(n - 1) if n else "", at=n, cost=0.001) for n in range(3_000)])
    assert root["total_cost_usd"] == 3.0


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=13, unique_by=lambda pair: pair[0]))
def test_every_step_is_shown_once_whatever_the_parents_say(pairs: list[tuple[int, int]]) -> None:
    seen, waiting = [], tree_of([step(str(n), str(parent), at=n) for n, parent in pairs])
    while waiting:
        at = waiting.pop()
        seen.append(at["request_id"])
        waiting += at["children"]
    assert sorted(seen) == sorted(str(n) for n, _ in pairs)
