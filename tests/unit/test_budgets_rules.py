"""Rules of budgets: what the settings may say, and which calls each rule counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agents.budgets.rules import Rules, read_rules
from agents.budgets.windows import BudgetWindow
from schemas.decoding import decode_request
from schemas.events import Request
from schemas.group_usage import Group
from tests.unit.builders import request

QUIET = {"enabled": False}
DAILY = {"name": "b", "limit": 5, "window": "day"}


def call(**fields: Any) -> Request:
    return decode_request(msgspec.json.encode(request(1, **fields)))


def counted(rules: Rules, *args: Any, **fields: Any) -> list[tuple[str, ...]]:
    """The values of the groups that a call counts in, rule name first."""
    return [(rules.by_id[group.rule].name, *group.values) for group in rules.groups(call(**fields), *args)]


def test_without_settings_only_loops_are_looked_for() -> None:
    assert counted(read_rules()) == [("session", "s1")]
    assert counted(read_rules(), trace_id="t1") == [("session", "s1"), ("trace", "t1")]
    assert counted(read_rules(), session_id=None) == []


def test_limits_are_exact_and_windows_are_understood() -> None:
    rows = [
        {"name": "a", "limit": 0.1, "window": "month"},
        {"name": "b", "limit": 1000, "unit": "tokens", "window": "rolling 24h"},
        {"name": "c", "limit": 7, "unit": "requests", "window": "30d"},
        {"name": "d", "limit": 7, "unit": "requests", "window": 90 * 60},
    ]
    rules = list(read_rules(rows, runaway=QUIET).by_id.values())
    assert [rule.limit for rule in rules] == [10**11, 1000, 7, 7]
    assert [rule.window for rule in rules] == [
        BudgetWindow("month", 2_592_000), BudgetWindow("rolling", 86_400), BudgetWindow("rolling", 2_592_000),
        BudgetWindow("rolling", 5_400),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "fields", "matches"),
    [
        ({}, {}, True),
        ({"feature": "chat"}, {"feature": "chat"}, True),
        ({"feature": "chat"}, {"feature": "search"}, False),
        ({"feature": "chat", "tenant": "acme"}, {"feature": "chat"}, False),
        ({"model": "gpt-4*"}, {"model": "gpt-4o"}, True),
        ({"model": "gpt-4.1"}, {"model": "gpt-4x1"}, False),
        ({"prompt": "greet"}, {"prompt": {"name": "greet", "sha": "abc"}}, True),
        ({"prompt": "abc"}, {"prompt": {"name": "greet", "sha": "abc"}}, True),
        ({"prompt": "abc"}, {"prompt": {"name": "greet"}}, False),
        ({"prompt": "abc", "feature": "x"}, {"prompt": {"name": "greet", "sha": "abc"}}, False),
        ({"user": "bot-*"}, {"user_id": "bot-7"}, True),
        ({"user": "bot-*"}, {"user_id": "ana"}, False),
        ({"user": "*"}, {}, False),
        ({"environment": "prod"}, {}, False),
    ],
)
def test_a_scope_is_all_of_its_dimensions(scope: dict[str, str], fields: dict[str, Any], matches: bool) -> None:
    rules = read_rules([{**DAILY, "scope": scope}], runaway=QUIET)
    for _ in range(2):  # decided, and remembered
        assert counted(rules, **fields) == ([("b",)] if matches else [])


def test_groups_are_by_value_and_anonymous_calls_are_nobodys() -> None:
    rules = read_rules([{**DAILY, "by": ["user", "feature"]}, {**DAILY, "name": "f", "by": "feature"}], runaway=QUIET)
    assert counted(rules, user_id="ana") == [("f", "chat"), ("b", "ana", "chat")]
    assert counted(rules, user_id="bea", feature=None) == [("f", ""), ("b", "bea", "")]
    assert counted(rules) == [("f", "chat")]


def test_money_counts_for_the_model_that_answered() -> None:
    rules = read_rules([{**DAILY, "by": "model"}], runaway=QUIET)
    assert counted(rules, "gpt-4o-mini") == [("b", "gpt-4o-mini")]
    assert counted(rules) == [("b", "gpt-4o-2024-08-06")]


def test_groups_that_no_user_session_or_trace_decides_are_decided_once() -> None:
    rules = read_rules([{**DAILY, "by": "tenant"}], runaway=QUIET)
    (identity,) = rules.by_id
    first = rules.groups(call(session_id="s1"))
    assert first == [Group(identity, ("default",))]
    assert rules.groups(call(session_id="s2")) is first


def test_a_rule_is_known_by_what_it_counts_and_not_by_its_limit() -> None:
    def identity(**fields: Any) -> str:
        return next(iter(read_rules([{**DAILY, **fields}], runaway=QUIET).by_id))

    assert identity() == identity(limit=50, severity="page", burn=False)
    assert len({identity(), identity(window="week"), identity(by="user"), identity(unit="tokens"), identity(scope={"tenant": "a"})}) == 5


@pytest.mark.parametrize(
    ("budgets", "limits", "runaway", "message"),
    [
        ([{"name": "b", "window": "day"}], [], {}, r"\[\[budgets\]\] b: limit: Field required"),
        ([{"limit": 5, "window": "day"}], [], {}, r"\[\[budgets\]\] entry 1: name: Field required"),
        ([{**DAILY, "window": "fortnight"}], [], {}, r"\[\[budgets\]\] b: window: .*'fortnight' is not a duration"),
        ([{**DAILY, "window": "5s"}], [], {}, r"window: .*from 1 minute to 366 days"),
        ([{**DAILY, "limit": 0}], [], {}, r"b: limit: "),
        ([{**DAILY, "limit": float("nan")}], [], {}, r"b: limit: "),
        ([{**DAILY, "limit": 1.5, "unit": "tokens"}], [], {}, r"b: limit: 1.5 is not a whole number of tokens"),
        ([{**DAILY, "scope": {"colour": "red"}}], [], {}, r"b: scope.colour: "),
        ([{**DAILY, "by": ["team"]}], [], {}, r"b: by.0: "),
        ([{**DAILY, "limt": 5}], [], {}, r"b: limt: Extra inputs"),
        ([DAILY, DAILY], [], {}, r"\[\[budgets\]\] b: name: is used twice"),
        (["x"], [], {}, r"\[\[budgets\]\] entry 1: entry: "),
        ([], [{"name": "l", "by": [], "limit": 5, "per": 60}], {}, r"\[\[limits\]\] l: by: name whom"),
        ([], [{"name": "l", "by": "user", "limit": 5, "per": "2h"}], {}, r"\[\[limits\]\] l: per: .*use \[\[budgets\]\]"),
        ([], [], {"usd": -1}, r"\[runaway\]: usd: "),
    ],
)
def test_what_is_wrong_is_named_by_table_entry_and_field(
    budgets: list[Any], limits: list[Any], runaway: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_rules(budgets, limits, runaway)
