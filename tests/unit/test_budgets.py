"""Budgets, rate limits and loops: sums that are exact in any order, one finding per crossing, and a state that comes back as it was."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.budgets.rules import Rules, read_rules
from agents.budgets.state import BudgetState
from agents.budgets.windows import BudgetWindow
from agents.interactions.segments import alone
from agents.interactions.signature import signature_of
from schemas.aggregates import OUTCOME_INDEX, UNANSWERED, Contribution
from schemas.decoding import decode_request
from schemas.events import Request
from schemas.findings import Finding, Findings
from schemas.group_usage import Caller, Group, GroupUsage, UsagePart, UsageParts
from streams.effects import Effects
from tests.unit.builders import FakeBatch, Record, request
from tests.unit.said import said

MIDNIGHT = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
DAY, HOUR = 86_400, 3_600
DOLLAR = 10**12
OK = OUTCOME_INDEX["ok"]
QUIET = {"enabled": False}
FINDINGS = "llm.internal.findings"


class Stage2:
    """A budget state, the messages sent to it and what it found."""

    def __init__(self, rules: Rules, *, sources: int = 1) -> None:
        self.rules, self.sources = rules, sources
        self.state = BudgetState(0, rules, findings=FINDINGS, source="test", sources=sources)
        self.found: list[Finding] = []
        self.effects = Effects()
        self._offset = 0
        self.now = 0.0
        """Processing time."""

    def id(self, name: str) -> str:
        return next(rule.id for rule in self.rules.by_id.values() if rule.name == name)

    def send(
        self, *parts: UsagePart, clock: float = 0.0, settled: int = 0, partition: int = 0, rests: bool = False
    ) -> list[Finding]:
        return self.receive(UsageParts("test", partition, (settled,), clock, rests, list(parts)))

    def receive(self, *messages: UsageParts) -> list[Finding]:
        return self.read([msgspec.msgpack.encode(message) for message in messages])

    def read(self, values: list[bytes]) -> list[Finding]:
        now = int(self.now * 1000)
        records = [Record("llm.internal.usage", 0, self._offset + n, now, None, value, ()) for n, value in enumerate(values)]
        self._offset += len(records)
        self.effects = Effects()
        self.state.apply(FakeBatch("llm.internal.usage", 0, records, self._offset), self.effects)
        found = []
        for message in self.effects.messages:
            assert (message.topic, message.partition) == (FINDINGS, 0)
            decoded = msgspec.msgpack.decode(message.value, type=Findings)
            assert decoded.agent == "budgets"
            found += decoded.findings
        self.found += found
        return found

    def used(self) -> dict[tuple[Any, ...], int]:
        return {(name, values, start): amount for name, values, start, amount in self.state.used() if amount}


def usage(requests: int = 1, usd: float = 0.0, tokens: int = 0, signatures: dict[int, int] | None = None) -> GroupUsage:
    found = GroupUsage(requests=requests, answers=requests, tokens=tokens, signatures=signatures or {})
    found.carried, found.pico = divmod(round(usd * 10**6) * 10**6, 10**18)
    found.examples = [(usd, "a1")]
    return found


def part(rule: str, at: int, used: GroupUsage, *values: str, segment: int = 0) -> UsagePart:
    return UsagePart(segment, at // 10 * 10, Group(rule, values), used)


def budget(**fields: Any) -> Stage2:
    return Stage2(read_rules([{"name": "b", "limit": 5, "window": "day", **fields}], runaway=QUIET))


def names(found: Iterable[Finding]) -> list[tuple[str, bool]]:
    return [(finding.name, finding.active) for finding in found]


# Usage


def test_usage_of_a_late_answer_equals_that_of_a_timely_one() -> None:
    answer = Contribution(OK, (100, 20, 50, 0, 0), 7 * DOLLAR, 900.0, None)
    timely, late = GroupUsage(), GroupUsage()
    timely.add(answer, "a1", signature=5)
    late.add(Contribution(UNANSWERED, (0, 0, 0, 0, 0), None, None, None), signature=5)
    assert (late.version, late.failed, timely.version) == (1, 1, 2)
    late.answer(answer, "a1")
    assert late == timely
    assert (timely.tokens, timely.picodollars, timely.examples) == (120, 7 * DOLLAR, [(7.0, "a1")])


def test_usage_of_a_call_that_another_model_answered_has_the_same_version_whenever_the_answer_came() -> None:
    timely, late = GroupUsage(), GroupUsage()
    timely.move(late=False)
    late.add(Contribution(UNANSWERED, (0, 0, 0, 0, 0), None, None, None))
    late.move(late=True)
    assert late == timely
    assert (late.version, late.requests) == (2, 0)


def test_usage_keeps_the_dearest_examples_and_sums_beyond_64_bits() -> None:
    found = GroupUsage()
    for n in range(10):
        found.add(Contribution(OK, (0, 0, 0, 0, 0), 9 * 10**18 + n * DOLLAR, None, None), f"a{n}")
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=GroupUsage)
    assert again.picodollars == 90 * 10**18 + 45 * DOLLAR
    assert [name for _, name in again.examples] == ["a9", "a8", "a7"]


# Exhausted budgets


def test_a_user_who_reaches_the_budget_is_reported_at_once_and_once_and_it_ceases_with_the_day() -> None:
    # given $5 per user and day
    stage = budget(by=["user"])
    # when ana spends 4.99 and bea 1.00 there is nothing to say
    assert not stage.send(part(stage.id("b"), MIDNIGHT + 50, usage(3, 4.99), "ana"), part(stage.id("b"), MIDNIGHT, usage(1, 1), "bea"))
    # when ana's next part crosses
    (found,) = stage.send(part(stage.id("b"), MIDNIGHT + 60, usage(1, 0.25), "ana"))
    # then it is said without waiting for the clock
    assert (found.name, found.active, found.labels) == ("BudgetExhausted", True, {"budget": "b", "user": "ana"})
    assert (found.value, found.threshold, found.window) == (5.24, 5.0, (MIDNIGHT, MIDNIGHT + DAY))
    assert "$5.24 of $5.00" in said(found)["summary"] and "mirante kill user:ana" in said(found)["action"]
    assert found.response_ids == ["a1"] and found.usd_per_hour is not None
    assert found.by == ["user"]  # one of many: beyond a cap they are told of together
    # and not again
    assert not stage.send(part(stage.id("b"), MIDNIGHT + 70, usage(1, 9), "ana"), clock=MIDNIGHT + 100)
    # until the day is over
    (ceased,) = stage.send(clock=MIDNIGHT + DAY)
    assert (ceased.name, ceased.active, ceased.labels, ceased.time) == ("BudgetExhausted", False, found.labels, MIDNIGHT + DAY)
    assert not stage.used()


def test_an_answer_after_its_segment_is_settled_is_spent_once_however_often_it_is_told() -> None:
    # given a request that was counted as unanswered in a segment that is settled by now
    stage = budget()
    stage.send(part(stage.id("b"), MIDNIGHT, GroupUsage(requests=1, failed=1)), clock=MIDNIGHT + 20)
    stage.send(clock=MIDNIGHT + 7_200, settled=9)
    # when its answer comes, in a part of its own, and a crash has it told again, also after the state was restored
    late = GroupUsage()
    late.answer(Contribution(OK, (100, 20, 0, 0, 0), 3 * DOLLAR, None, None), "a1")
    own = part(stage.id("b"), MIDNIGHT, late, segment=alone("the request's event"))
    stage.send(own, clock=MIDNIGHT + 7_200, settled=9)
    stage.send(own, clock=MIDNIGHT + 7_300, settled=12)
    restored = budget()
    for piece in stage.state.snapshot():
        restored.state.load(piece)
    restored.send(own, clock=MIDNIGHT + 7_300, settled=12)
    # then it is spent once
    assert stage.used() == restored.used()
    assert list(stage.used().values()) == [3 * DOLLAR]
    # and nothing of it remains when its day is over
    assert stage.state.gauges()["budget_parts"] == 1
    stage.send(clock=MIDNIGHT + DAY + 60, settled=12)
    assert stage.state.gauges()["budget_parts"] == 0


def test_the_next_days_exhaustion_is_another_alert_even_if_it_comes_before_the_clock() -> None:
    stage = budget()
    stage.send(part(stage.id("b"), MIDNIGHT + DAY - 10, usage(1, 5)), clock=MIDNIGHT + DAY - 10)
    found = stage.send(part(stage.id("b"), MIDNIGHT + DAY, usage(1, 6)))
    assert names(stage.found) == [("BudgetExhausted", True), ("BudgetExhausted", False), ("BudgetExhausted", True)]
    assert [finding.time for finding in stage.found] == sorted({finding.time for finding in stage.found})
    assert found[0].time == MIDNIGHT + DAY
    assert stage.send(clock=MIDNIGHT + 2 * DAY)[0].time == MIDNIGHT + 2 * DAY


def test_a_rolling_budget_ceases_when_enough_has_left_it() -> None:
    stage = budget(window="rolling 1h", unit="requests", limit=10)
    stage.send(part(stage.id("b"), MIDNIGHT, usage(6)), clock=MIDNIGHT + 10)
    assert names(stage.send(part(stage.id("b"), MIDNIGHT + 1_800, usage(4)), clock=MIDNIGHT + 1_810)) == [("BudgetExhausted", True)]
    assert not stage.send(clock=MIDNIGHT + 3_590)
    (ceased,) = stage.send(clock=MIDNIGHT + 3_700)
    assert (ceased.active, ceased.time) == (False, MIDNIGHT + 3_610)
    stage.send(clock=MIDNIGHT + 2 * HOUR)
    assert stage.state.gauges()["budget_groups"] == 0


def test_what_is_reached_by_a_clock_that_is_ahead_is_told_now_even_when_input_is_read_a_minute_late() -> None:
    stage = budget(window="rolling 24h")
    start, stage.now = MIDNIGHT, MIDNIGHT + 100.0  # the clock is more than a minute behind: this is a history
    stage.send(part(stage.id("b"), start + HOUR, usage(usd=4)), clock=start + 10.0)  # a service whose clock is an hour ahead
    stage.send(part(stage.id("b"), start + 30, usage(usd=2)), clock=start + 10.0)
    stage.now += 30
    (found,) = stage.send(clock=start + 70.0)
    told = [msgspec.msgpack.decode(message.value, type=Findings) for message in stage.effects.messages]
    assert (found.name, found.time) == ("BudgetExhausted", start + HOUR + 5)
    assert [message.ordered for message in told if message.findings] == [False]  # else it would wait for an hour


def test_a_raised_limit_keeps_what_was_used_and_ends_the_alert() -> None:
    # given an exhausted budget
    stage = budget()
    stage.send(part(stage.id("b"), MIDNIGHT, usage(1, 6)), clock=MIDNIGHT + 60)
    saved = stage.state.changes()
    assert saved is not None
    # when its limit is raised
    raised = budget(limit=50)
    raised.state.load(saved)
    # then it has ceased, with the sum as it was
    assert names(raised.send(clock=MIDNIGHT + 120)) == [("BudgetExhausted", False)]
    assert raised.used() == {("b", (), MIDNIGHT): 6 * DOLLAR}


def test_a_budget_that_was_taken_out_ceases() -> None:
    stage = budget()
    stage.send(part(stage.id("b"), MIDNIGHT, usage(1, 6)), clock=MIDNIGHT + 60)
    saved = stage.state.changes()
    assert saved is not None
    without = Stage2(read_rules())
    without.state.load(saved)
    (ceased,) = without.send(clock=MIDNIGHT + 120)
    assert (ceased.active, ceased.labels) == (False, {"budget": "b"})


def test_a_record_that_is_none_is_a_dead_letter_and_a_part_of_an_unknown_rule_is_counted() -> None:
    stage = budget()
    stage.read([b"no message"])
    assert [letter.stage for letter in stage.effects.letters] == ["budgets"]
    stage.send(part("other#0", MIDNIGHT, usage(1, 9)), part(stage.id("b"), MIDNIGHT, usage(1, 9), "too", "many"))
    assert stage.effects.counts["unknown_rule", ""] == 2 and not stage.found


# Burn rates


def spend(stage: Stage2, start: int, end: int, usd_per_hour: float, *, every: int = 60) -> list[Finding]:
    """Spending at a steady rate, the clock one step behind; returns what was found meanwhile."""
    found = []
    for at in range(start, end, every):
        found += stage.send(
            part(stage.id("b"), at, usage(1, usd_per_hour * every / HOUR), segment=at), clock=float(at), settled=at
        )
    return found


def test_a_spike_burns_fast_says_when_it_ends_and_ceases_when_it_is_over() -> None:
    # given $240 a day, $10 an hour evenly, and $5 an hour spent until noon
    stage = budget(limit=240, severity="page")
    stage.send(part(stage.id("b"), MIDNIGHT + HOUR, usage(1, 55)), clock=MIDNIGHT + HOUR, settled=MIDNIGHT)
    assert not spend(stage, MIDNIGHT + 11 * HOUR, MIDNIGHT + 12 * HOUR, 5, every=10)
    # when it is $200 an hour
    spike = MIDNIGHT + 12 * HOUR
    found = spend(stage, spike, spike + 300, 200, every=10)
    # then within three minutes a page says how long the remaining 175 dollars last
    assert names(found) == [("BudgetBurn", True)]
    (burn,) = found
    assert burn.severity == "page" and spike < burn.time <= spike + 180
    assert "gone by 13:1" in said(burn)["summary"]
    assert burn.value is not None and burn.threshold is not None and burn.value >= burn.threshold
    # and it ceases with the spike
    assert names(spend(stage, spike + 300, spike + HOUR, 5, every=10)) == [("BudgetBurn", False)]


def test_chronic_overspending_without_any_spike_is_a_ticket() -> None:
    stage = budget(limit=240, severity="page")
    found = spend(stage, MIDNIGHT, MIDNIGHT + 4 * HOUR, 13)
    assert names(found)[0] == ("BudgetBurn", True)
    assert found[0].severity == "ticket" and found[0].time < MIDNIGHT + 4 * HOUR
    assert "18:19 UTC" in said(found[0])["summary"]  # 240 / 13 hours


def test_a_burn_that_the_budget_outlasts_and_a_single_dear_call_are_no_alarm() -> None:
    late = budget(limit=240)
    assert not spend(late, MIDNIGHT + 23 * HOUR, MIDNIGHT + DAY, 200, every=10)
    dear = budget(limit=240)
    assert not spend(dear, MIDNIGHT + 12 * HOUR, MIDNIGHT + 12 * HOUR + 10, 100 * 360, every=10)
    assert not dear.send(clock=MIDNIGHT + 13 * HOUR)


def test_business_hours_within_the_budget_are_no_alarm() -> None:
    stage = budget(limit=240)
    assert not spend(stage, MIDNIGHT + 8 * HOUR, MIDNIGHT + 18 * HOUR, 17)
    assert not stage.send(clock=MIDNIGHT + DAY)


def test_a_budget_per_user_tells_of_burns_only_if_asked_to() -> None:
    daily = {"name": "b", "by": "user", "limit": 5, "window": "day"}
    (silent,) = read_rules([daily], runaway=QUIET).by_id.values()
    (telling,) = read_rules([{**daily, "burn": True}], runaway=QUIET).by_id.values()
    assert telling.burn and not silent.burn


# Rate limits


def limit(**fields: Any) -> Stage2:
    return Stage2(read_rules(limits=[{"name": "l", "by": "user", "limit": 10, "per": 60, **fields}], runaway=QUIET))


def test_more_than_a_limit_within_its_time_is_reported_and_ceases() -> None:
    stage = limit()
    at = MIDNIGHT
    assert not stage.send(*(part(stage.id("l"), at + 10 * n, usage(2), "ana") for n in range(5)), clock=at + 50)
    (found,) = stage.send(part(stage.id("l"), at + 50, usage(1), "ana", segment=7), clock=at + 60)
    assert (found.name, found.labels, found.value, found.threshold) == ("RateLimitExceeded", {"limit": "l", "user": "ana"}, 11, 10)
    (ceased,) = stage.send(clock=at + 200)
    assert (ceased.active, ceased.time) == (False, at + 70)
    stage.send(clock=at + 400)
    assert stage.state.gauges()["limited_groups"] == 0


def test_the_same_spread_over_more_time_is_within_the_limit() -> None:
    stage = limit()
    for n in range(30):
        assert not stage.send(part(stage.id("l"), MIDNIGHT + 10 * n, usage(1), "ana", segment=n), clock=MIDNIGHT + 10 * n)


def test_a_limit_on_tokens_is_found_when_the_answers_come_later_than_the_clock() -> None:
    stage = limit(unit="tokens", limit=1_000, per="10s")
    stage.send(clock=MIDNIGHT + 15)
    (found,) = stage.send(part(stage.id("l"), MIDNIGHT, usage(1, tokens=2_000), "ana"))
    assert found.time > MIDNIGHT + 10 and found.since == MIDNIGHT + 5
    assert names(stage.send(clock=MIDNIGHT + 60)) == [("RateLimitExceeded", False)]


# Loops


def runaway(**fields: Any) -> Stage2:
    return Stage2(read_rules(runaway=fields))


def test_a_session_that_has_cost_more_than_five_dollars_in_ten_minutes_is_reported_before_ten() -> None:
    stage = runaway()
    cost = 0.0
    while not stage.found and cost < 20:
        at = MIDNIGHT + 10 * round(cost / 0.4)
        stage.send(part(stage.id("session"), at, usage(2, 0.4), "s1"), clock=float(at))
        cost += 0.4
    assert 5 < cost < 10
    (found,) = stage.found
    assert (found.name, found.severity, found.labels) == ("RunawayLoop", "page", {"session": "s1"})
    assert "mirante kill session:s1" in said(found)["action"]
    assert names(stage.send(clock=MIDNIGHT + HOUR)) == [("RunawayLoop", False)]


@pytest.mark.parametrize("clocks", [(0.0,), (0.0, 50.0, 100.0, 150.0, 200.0)], ids=["late look", "looks meanwhile"])
def test_what_a_session_did_before_a_pause_of_minutes_does_not_count_however_often_one_looks(clocks: tuple[float, ...]) -> None:
    stage = runaway()
    stage.send(part(stage.id("session"), MIDNIGHT, usage(4, 4.0), "s1"), clock=float(MIDNIGHT))
    for clock in clocks:
        stage.send(clock=MIDNIGHT + clock)
    stage.send(part(stage.id("session"), MIDNIGHT + 200, usage(4, 2.0), "s1"), clock=MIDNIGHT + 200.0)
    assert stage.found == []
    for at in (210, 220, 230):
        stage.send(part(stage.id("session"), MIDNIGHT + at, usage(4, 2.0), "s1"), clock=float(MIDNIGHT + at))
    assert names(stage.found) == [("RunawayLoop", True)]


def test_one_dear_call_and_a_few_of_them_are_no_loop() -> None:
    stage = runaway()
    stage.send(part(stage.id("session"), MIDNIGHT, usage(1, 29.0), "s1"), clock=float(MIDNIGHT))
    for n in range(3):
        stage.send(part(stage.id("session"), MIDNIGHT + 10 * n, usage(1, 8.0), "s2"), clock=MIDNIGHT + 10.0 * n)
    for n in range(20):
        cost = 29.0 if n == 7 else 0.01  # one dear call among cheap ones
        stage.send(part(stage.id("session"), MIDNIGHT + 10 * n, usage(1, cost), "s3"), clock=MIDNIGHT + 10.0 * n)
    assert stage.found == []


def test_a_loop_says_where_it_is_which_steps_repeat_and_since_when() -> None:
    stage = runaway()
    for n in range(12):
        again = usage(2, 0.02, signatures={1: 1, 2: 1})
        again.callers = {
            Caller("acme", "agent", "gpt-4o", "ana", "execute_tool search"): 1,
            Caller("acme", "agent", "gpt-4o", "ana", "chat"): 1,
        }  # fmt: skip
        stage.send(part(stage.id("session"), MIDNIGHT + 10 * n, again, "s1"), clock=MIDNIGHT + 10.0 * n)
    (found,) = stage.found
    assert found.labels == {"session": "s1"}, "its identity is that of before"
    assert found.where == {"tenant": "acme", "feature": "agent", "model": "gpt-4o", "user": "ana"}
    assert found.since == MIDNIGHT + 5 and found.time == MIDNIGHT + 95
    assert said(found)["summary"] == (
        "Tenant acme, feature agent, model gpt-4o, user ana, session s1: it loops: 20 of 20 calls in 2 minutes ask two things almost word"
        " for word, mostly chat (10), execute_tool search (10); $0.20 so far; for 2 minutes, since 00:00 UTC."
    )
    restored = Stage2(read_rules())
    for piece in stage.state.snapshot():
        restored.state.load(piece)
    assert [*restored.state.snapshot()] == [*stage.state.snapshot()]


def test_calls_that_repeat_each_other_are_a_loop_and_different_ones_are_not() -> None:
    stage = runaway()
    for n in range(24):  # a tool and its answer, over and over, once in a while something else
        again = {1: 1, 2: 1} if n % 6 else {100 + n: 2}
        stage.send(part(stage.id("trace"), MIDNIGHT + 10 * n, usage(2, 0.001, signatures=again), "t1"), clock=MIDNIGHT + 10.0 * n)
        fresh = {1_000 + 2 * n: 1, 1_001 + 2 * n: 1}
        stage.send(part(stage.id("trace"), MIDNIGHT + 10 * n, usage(2, 0.001, signatures=fresh), "t2"), clock=MIDNIGHT + 10.0 * n)
    (found,) = stage.found
    assert (found.name, found.labels) == ("RunawayLoop", {"trace": "t1"})
    assert "ask two things almost word for word" in said(found)["summary"] and "trace_id" in said(found)["action"]


def many_calls(stage: Stage2, calls: list[int], tokens: list[int]) -> None:
    for n, (count, size) in enumerate(zip(calls, tokens, strict=True)):
        at = MIDNIGHT + 10 * n
        different = {100 * n + k: 1 for k in range(count)}
        stage.send(part(stage.id("session"), at, usage(count, 0.01, count * size, different), "s1"), clock=float(at))


def test_hundreds_of_calls_that_grow_are_a_loop_and_steady_ones_are_not() -> None:
    growing, faster, steady = runaway(), runaway(), runaway()
    many_calls(growing, [6] * 50, [1_000 + 100 * n for n in range(50)])
    many_calls(faster, [2] * 25 + [10] * 25, [1_000] * 50)
    many_calls(steady, [6] * 50, [1_000] * 50)
    assert names(growing.found) == names(faster.found) == [("RunawayLoop", True)]
    assert "tokens each" in said(growing.found[0])["summary"] and "faster and faster" in said(faster.found[0])["summary"]
    assert not steady.found


def test_a_loop_that_feeds_itself_is_found_within_two_minutes_and_parallel_calls_are_none() -> None:
    feeding, parallel = runaway(), runaway()
    many_calls(feeding, [5] * 12, [1_500 + 75 * n for n in range(12)])
    (found,) = feeding.found
    assert found.time <= MIDNIGHT + 120 and "in 2 minutes, longer and longer" in said(found)["summary"]
    rng = random.Random(6)
    for run in range(20):  # documents of any length, many at once
        many_calls(parallel, [15] * 12, [int(2_000 * rng.lognormvariate(0, 0.3)) for _ in range(12)])
        parallel.send(clock=MIDNIGHT + HOUR * (run + 1))
        assert not parallel.found
        parallel = runaway()


def test_a_long_chat_is_no_loop() -> None:
    stage = runaway()
    rng = random.Random(4)
    for n in range(300):  # two hours and a half, a question every half minute, the context growing all the time
        at = MIDNIGHT + 30 * n
        signature = 7 if rng.random() < 0.2 else n + 100  # "go on"
        stage.send(part(stage.id("session"), at, usage(1, 0.002 + n * 1e-4, 500 + 300 * n, {signature: 1}), "s1"), clock=float(at))
    assert not stage.found


def test_runaway_can_be_turned_off() -> None:
    assert not read_rules(runaway=QUIET).loops and not read_rules(runaway=QUIET)
    assert len(read_rules().loops) == 2


def asked(text: Any = None, **fields: Any) -> Request:
    messages = [{"role": "user", "content": text}] if text is not None else None
    return decode_request(msgspec.json.encode({**request(1, **fields), "messages": messages}))


def test_the_signature_of_a_call_does_not_see_numbers() -> None:
    assert signature_of(asked("row 17 of 99 failed, retry")) == signature_of(asked("row 18 of 99 failed, retry"))
    assert signature_of(asked("row 17 failed")) != signature_of(asked("row 17 passed"))
    assert signature_of(asked("x")) != signature_of(asked("x", operation="execute_tool"))
    assert signature_of(asked([{"type": "text", "text": "look 1"}])) == signature_of(asked([{"type": "text", "text": "look 2"}]))
    assert signature_of(asked()) is None
    variables = {"name": "p", "variables": {"city": "Recife"}}
    assert signature_of(asked(prompt=variables)) not in (None, signature_of(asked(prompt={"name": "p", "variables": {"city": "Natal"}})))


# The clock


def test_the_clock_is_that_of_the_slowest_source_however_far_it_lags() -> None:
    stage = Stage2(read_rules([{"name": "b", "limit": 5, "window": "hour"}], runaway=QUIET), sources=3)
    stage.send(part(stage.id("b"), MIDNIGHT, usage(1, 6)), clock=MIDNIGHT + 3 * HOUR, partition=0)
    stage.send(clock=MIDNIGHT + 200, partition=1)
    assert stage.state.clock == 0  # one source has said nothing yet
    stage.send(clock=MIDNIGHT + 100, partition=2)
    assert stage.state.clock == MIDNIGHT + 100
    stage.send(clock=MIDNIGHT + 4_000, partition=1)
    assert names(stage.send(clock=MIDNIGHT + 4_000, partition=2)) == [("BudgetExhausted", False)]
    assert stage.state.clock == MIDNIGHT + 4_000


# Histories


def test_usage_of_a_history_is_counted_in_the_order_of_event_time_whoever_was_read_first() -> None:
    limits = [{"name": "f", "by": "user", "limit": 9, "per": "1m"}]
    rules = read_rules([{"name": "b", "limit": 5, "window": "day", "burn": False}], limits, QUIET)
    budget_id, limit_id = (next(rule.id for rule in rules.by_id.values() if rule.name == name) for name in ("b", "f"))
    parts = [part(budget_id, MIDNIGHT + 10 * n, usage(1, 0.5)) for n in range(20)]
    parts += [part(limit_id, MIDNIGHT + 10 * n, usage(n), "ana") for n in range(8)]
    found = []
    for seed in range(6):
        stage, chance = Stage2(rules, sources=2), random.Random(seed)
        stage.now = MIDNIGHT + 30 * DAY  # it is read a month later
        chance.shuffle(parts)
        for piece in parts:  # then nothing is said of what the clock has not passed
            assert stage.send(piece, clock=MIDNIGHT + 1.0, partition=chance.randrange(2)) == []
        for end in sorted(chance.sample(range(20, 400), 5)) if seed else [400]:
            stage.send(clock=MIDNIGHT + end, partition=0)
            stage.send(clock=MIDNIGHT + end, partition=1)
        stage.send(clock=MIDNIGHT + 400, partition=0)
        stage.send(clock=MIDNIGHT + 400, partition=1)
        found.append(stage.found)
    # Then the crossing is in the step in which the limit was reached, with what had been used by then
    exhausted = next(one for one in found[0] if one.name == "BudgetExhausted")
    assert (exhausted.since, exhausted.value) == (MIDNIGHT + 95, 5.0)
    assert {one.name for one in found[0]} == {"BudgetExhausted", "RateLimitExceeded"}
    assert all(other == found[0] for other in found)


def test_what_waits_of_a_history_is_counted_when_there_is_nothing_more_to_read_and_survives_a_restart() -> None:
    stage = Stage2(read_rules([{"name": "b", "limit": 5, "window": "day", "burn": False}], runaway=QUIET))
    stage.now = MIDNIGHT + 30 * DAY
    assert stage.send(part(stage.id("b"), MIDNIGHT, usage(1, 6)), clock=MIDNIGHT + 3) == []
    again = Stage2(stage.rules)
    again.now = stage.now
    again.state.load(stage.state.changes() or b"")
    for one in (stage, again):
        assert one.state.gauges()["usage_held"] == 1
        assert names(one.send(clock=MIDNIGHT + 3, rests=True)) == [("BudgetExhausted", True)]
        assert one.state.gauges()["usage_held"] == 0


def test_windows_are_those_of_the_calendar() -> None:
    def bounds(kind: str, text: str) -> tuple[str, str]:
        start, end = BudgetWindow(kind, {"hour": 3_600, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}[kind]).bounds(
            int(datetime.fromisoformat(text + "+00:00").timestamp())
        )
        return f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H}", f"{datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H}"

    assert bounds("hour", "2026-03-02T23:59:59") == ("2026-03-02T23", "2026-03-03T00")
    assert bounds("week", "2026-03-01T12:00:00") == ("2026-02-23T00", "2026-03-02T00")
    assert bounds("week", "2026-03-02T00:00:00") == ("2026-03-02T00", "2026-03-09T00")
    assert bounds("month", "2028-02-29T12:00:00") == ("2028-02-01T00", "2028-03-01T00")
    assert bounds("month", "2026-12-31T23:59:59") == ("2026-12-01T00", "2027-01-01T00")


# Invariants


RULES = read_rules(
    [
        {"name": "day", "limit": 5, "window": "day", "by": "user"},
        {"name": "roll", "limit": 4, "window": "30m", "by": ["user", "feature"], "unit": "usd"},
        {"name": "all", "limit": 20, "window": "day"},
        {"name": "hour", "limit": 60, "unit": "requests", "window": "hour"},
    ],
    [{"name": "fast", "by": "user", "limit": 6, "per": 60}],
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[UsageParts]]:
    """Per source partition its messages, as stage 1 sends them: parts that grow, segments that settle, a clock that moves on."""
    rng = draw(st.randoms(use_true_random=True))
    sources = draw(st.integers(1, 3))
    steps = draw(st.integers(1, 14))
    pace = draw(st.sampled_from([10, 60, 600, 3_000]))
    logs: list[list[UsageParts]] = []
    for source in range(sources):
        log, live = [], defaultdict(GroupUsage)
        segment, settled, clock = 0, 0, float(MIDNIGHT + 80_000)
        for _ in range(steps):
            dirty = set()
            for _ in range(rng.randint(0, 4)):
                user, feature = rng.choice("ab"), rng.choice("xy")
                at = int(clock + rng.randint(-30, pace)) // 10 * 10
                item = Contribution(OK, (10, 5, 0, 0, 0), rng.randint(1, 2 * DOLLAR), None, None)
                where = rng.randint(settled, segment)
                for rule in RULES.by_id.values():
                    known = {"user": user, "feature": feature, "session": user, "trace": f"{user}{feature}"}
                    key = where, at, Group(rule.id, tuple(known[d] for d in rule.by))
                    live[key].add(item, "a", 1)
                    dirty.add(key)
            parts = [UsagePart(*key, msgspec.convert(msgspec.to_builtins(live[key]), GroupUsage)) for key in sorted(dirty)]
            log.append(UsageParts("test", source, (settled,), clock, rng.random() < 0.1, parts))
            clock += rng.randint(0, pace)
            segment += rng.random() < 0.4
            settled = max(settled, segment - 2)
        logs.append(log)
    return logs


def last_parts(logs: list[list[UsageParts]]) -> dict[tuple[Any, ...], GroupUsage]:
    """The newest of each part: what counts, whatever way it came."""
    newest: dict[tuple[Any, ...], GroupUsage] = {}
    for source, log in enumerate(logs):
        for message in log:
            for item in message.parts:
                newest[source, item.segment, item.window, item.group] = item.usage
    return newest


def interleaved(logs: list[list[UsageParts]], rng: random.Random) -> list[UsageParts]:
    """The logs in one of their orders, with runs of each repeated as after a crash."""
    merged: list[UsageParts] = []
    read = [0] * len(logs)
    while any(at < len(log) for at, log in zip(read, logs, strict=True)):
        source = rng.choice([n for n, log in enumerate(logs) if read[n] < len(log)])
        merged.append(logs[source][read[source]])
        read[source] += 1
        if rng.random() < 0.2:
            read[source] = max(0, read[source] - rng.randint(1, 3))
    return merged


@hypothesis_settings(max_examples=40, deadline=None)
@given(histories(), st.randoms(use_true_random=True))
def test_sums_are_those_of_the_newest_parts_in_any_order_with_any_repeats(logs: list[list[UsageParts]], rng: random.Random) -> None:
    stage = Stage2(RULES, sources=len(logs))
    stage.receive(*interleaved(logs, rng))
    clock, expected = stage.state.clock, Counter()
    for (_, _, window, group), used in last_parts(logs).items():
        rule = RULES.by_id[group.rule]
        start, end = rule.window.bounds(window)
        if rule.kind == "budget" and not rule.window.rolling and end > clock:
            expected[rule.name, group.values, start] += used.requests if rule.unit == "requests" else used.picodollars
    assert {key: amount for key, amount in stage.used().items() if key[0] != "roll"} == expected


@hypothesis_settings(max_examples=40, deadline=None)
@given(histories(), st.randoms(use_true_random=True))
def test_each_condition_has_one_active_finding_until_it_ceases_and_every_exhausted_group_has_one(
    logs: list[list[UsageParts]], rng: random.Random
) -> None:
    stage = Stage2(RULES, sources=len(logs))
    messages = interleaved(logs, rng)
    for message in messages:
        stage.receive(message)
    active: dict[tuple[str, str], Finding] = {}
    last: dict[tuple[str, str], float] = {}
    for finding in stage.found:
        identity = finding.name, str(sorted(finding.labels.items()))
        assert finding.time > last.get(identity, 0.0), "the alerts would ignore it"
        last[identity] = finding.time
        if finding.active:
            assert identity not in active or finding.name == "BudgetBurn"
            active[identity] = finding
        else:
            del active[identity]
    # every group that has exceeded the limit of the current window is reported
    for (name, values, start), amount in stage.used().items():
        rule = next(rule for rule in RULES.by_id.values() if rule.name == name and rule.kind == "budget")
        identity = "BudgetExhausted", str(sorted(rule.labels(values).items()))
        if not rule.window.rolling and amount >= rule.limit:
            later = [s for n, v, s in stage.used() if (n, v) == (name, values) and s > start and stage.used()[n, v, s] >= rule.limit]
            assert identity in active and (active[identity].window or (0, 0))[0] in (start, *later)
    # and nobody else: what is exhausted at the end, or was at its time, has been so
    for finding in stage.found:
        if finding.active and finding.name == "BudgetExhausted":
            assert finding.value is not None and finding.threshold is not None and finding.value >= finding.threshold


@hypothesis_settings(max_examples=40, deadline=None)
@given(histories(), st.randoms(use_true_random=True), st.booleans())
def test_restored_state_goes_on_as_if_nothing_had_happened(logs: list[list[UsageParts]], rng: random.Random, snapshots: bool) -> None:
    messages = interleaved(logs, rng)
    whole, first = Stage2(RULES, sources=len(logs)), Stage2(RULES, sources=len(logs))
    whole.receive(*messages)
    stop = rng.randint(0, len(messages))
    pieces: list[bytes] = []
    for at, message in enumerate(messages[:stop]):
        first.receive(message)
        if rng.random() < 0.5 or at == stop - 1:
            change = first.state.changes()
            if snapshots and rng.random() < 0.3:
                pieces = list(first.state.snapshot())
            elif change is not None:
                pieces += [change] * rng.choice([1, 1, 2])
    second = Stage2(RULES, sources=len(logs))
    for piece in pieces:
        second.state.load(piece)
    assert second.state.changes() is None
    assert (second.used(), second.state.clock) == (first.used(), first.state.clock)
    # What is too old to count is forgotten now and then, and at once when state is restored.
    assert second.state.gauges()["limited_groups"] <= first.state.gauges()["limited_groups"]
    assert {**second.state.gauges(), "limited_groups": 0} == {**first.state.gauges(), "limited_groups": 0}
    second.receive(*messages[stop:])
    assert first.found + second.found == whole.found
    assert second.used() == whole.used()
