"""Kill switches and throttles: what a reader makes of the topic, what rules do on alerts, what the audit shows."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.controls.agent import controls
from agents.controls.durations import duration
from agents.controls.fold import ALLOW, ControlError, Controls, Decision, checked_scope, is_in_force, read_control, strictness
from agents.controls.rules import proposals, read_rules
from agents.controls.state import MAX_ACTED, ControlsState
from schemas.findings import PERIOD_END
from schemas.outputs import Alert, Control
from schemas.rows import ControlRow
from streams.effects import Effects
from streams.partitioner import partition_of
from streams.topics import Topics

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTITIONS = 3
ALERTS, PROPOSALS, CONTROLS = "llm.alerts", "llm.internal.switches", "llm.controls"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def control(scope: str = "feature:search", action: str = "kill", time: float = 0, expires: float | None = None, **fields: Any) -> Control:
    expires_at = None if expires is None else at(expires)
    return Control(scope=scope, action=action, time=at(time), expires_at=expires_at, **fields)  # type: ignore[arg-type]


def alert(
    alert_id: str = "a1", status: str = "firing", time: float = 0, name: str = "BudgetExhausted", ends: float | None = None, **labels: str
) -> Alert:
    """``ends``: when the period of its budget is over."""
    labels = labels or {"feature": "search", "tenant": "acme"}
    fields: dict[str, Any] = {"name": name, "status": status, "severity": "page", "labels": labels}
    fields["evidence"] = {} if ends is None else {PERIOD_END: at(ends).timestamp()}
    return Alert(
        alert_id=alert_id, fingerprint="f", starts_at=NOON, updated_at=at(time), annotations={"summary": "budget is used up"}, **fields
    )


# --- scopes, durations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["global", "tenant:acme", "feature:search", "model:gpt-4o", "user:a:b", "session:x y"])
def test_given_a_scope_of_the_contract_then_it_is_accepted(scope: str) -> None:
    assert checked_scope(scope) == scope
    assert msgspec.convert({"scope": scope, "action": "kill", "time": NOON}, Control).scope == scope


@pytest.mark.parametrize("scope", ["", "Global", "feature", "feature:", "feature: ", "team:x", ":x", "global:x", "user:" + "x" * 600])
def test_given_anything_else_then_it_is_refused_with_what_to_write(scope: str) -> None:
    with pytest.raises(ControlError, match=r"write global or one of|at most 512"):
        checked_scope(scope)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061)])
def test_durations_are_written_with_units(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "1.5h", "0s", "30m1h", "99999d", "1 h"])
def test_given_what_is_no_duration_then_an_error_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"write for example|ten years"):
        duration(text)


# --- what a reader makes of the topic --------------------------------------------------------------------------------------


def folded(*records: Control) -> Controls:
    state = Controls()
    for record in records:
        state.record(record.scope.encode(), msgspec.json.encode(record))
    return state


def test_given_two_operators_at_once_then_the_later_record_holds() -> None:
    state = folded(control(action="kill", time=1), control(action="throttle", limit=10, time=0, reason="second"))
    assert state.decide(NOON, feature="search") == Decision("throttle", 10, "feature:search", "second")


def test_given_an_expired_switch_then_nothing_is_in_force() -> None:
    state = folded(control(expires=60))
    assert state.decide(at(59.9), feature="search").action == "kill"
    assert state.decide(at(60), feature="search") == ALLOW


def test_given_a_restore_or_a_deletion_then_nothing_is_in_force() -> None:
    assert folded(control(), control(action="restore")).decide(NOON, feature="search") == ALLOW
    state = folded(control())
    state.record(b"feature:search", None)
    assert state.decide(NOON, feature="search") == ALLOW


def test_given_several_scopes_then_the_most_restrictive_wins_whatever_its_kind() -> None:
    state = folded(
        control("global", "throttle", limit=100), control("tenant:acme", "throttle", limit=5), control("user:u1", "kill", reason="loop")
    )
    assert state.decide(NOON, tenant="other") == Decision("throttle", 100, "global", "")
    assert state.decide(NOON, tenant="acme", user="u2") == Decision("throttle", 5, "tenant:acme", "")
    assert state.decide(NOON, tenant="acme", user="u1") == Decision("kill", None, "user:u1", "loop")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (b"global", b"{oops", "not a control"),
        (b"global", b'"\xff"', "not a control"),
        (b"global", b'{"scope":"team:x","action":"kill","time":"2026-03-01T12:00:00Z"}', "not a control"),
        (b"global", b'{"scope":"global","action":"throttle","time":"2026-03-01T12:00:00Z"}', "needs a limit"),
        (b"other", b'{"scope":"global","action":"kill","time":"2026-03-01T12:00:00Z"}', "key of a control must be its scope"),
        (None, b'{"scope":"global","action":"kill","time":"2026-03-01T12:00:00Z"}', "key of a control must be its scope"),
    ],
)
def test_given_a_record_that_is_no_control_then_it_changes_nothing_and_says_why(key: bytes | None, value: bytes, says: str) -> None:
    state = folded(control("global"))
    with pytest.raises(ControlError, match=says):
        state.record(key, value)
    assert state.decide(NOON).action == "kill"


scopes = st.sampled_from(["global", "tenant:a", "feature:b", "user:c"])
some_controls = st.lists(
    st.builds(
        control,
        scopes,
        st.sampled_from(["kill", "throttle", "restore"]),
        expires=st.none() | st.integers(1, 100),
        limit=st.floats(0, 50),
    ),
    max_size=12,
)


@given(some_controls, st.integers(0, 120))
def test_a_newcomer_who_reads_the_compacted_topic_decides_as_one_who_read_everything(records: Sequence[Control], now: int) -> None:
    compacted = {record.scope: record for record in records}
    whole, late = folded(*records), folded(*compacted.values())
    names = {"tenant": "a", "feature": "b", "user": "c"}
    assert whole.decide(at(now), **names) == late.decide(at(now), **names)
    in_force = [c for c in compacted.values() if is_in_force(c, at(now))]
    decision = whole.decide(at(now), **names)
    assert (decision == ALLOW) == (not in_force)
    if in_force:
        assert strictness(compacted[decision.scope]) == max(map(strictness, in_force))


# --- rules -------------------------------------------------------------------------------------------------------------

RULE = {"on": "BudgetExhausted", "action": "kill", "scope": "feature:{feature}", "expires": "1h"}


def test_given_an_alert_that_matches_then_the_rule_wants_its_switch() -> None:
    (wanted,) = proposals(read_rules([RULE]), alert(time=5))
    assert wanted.control == Control(
        scope="feature:search",
        action="kill",
        time=at(5),
        reason="budget is used up (alert a1)",
        source="BudgetExhausted",
        expires_at=at(3605),
    )


@pytest.mark.parametrize(("ends", "expires_at"), [(None, None), (7200, at(7200))])
def test_given_a_switch_as_long_as_its_alert_then_it_ends_by_itself_with_the_period_of_the_budget(
    ends: float | None, expires_at: datetime | None
) -> None:
    rules = read_rules([{**RULE, "expires": "resolved"}])
    (wanted,) = proposals(rules, alert(time=5, ends=ends))
    assert wanted.control.expires_at == expires_at
    (restored,) = proposals(rules, alert(status="resolved", time=60, ends=ends))
    assert (restored.control.action, restored.control.scope) == ("restore", "feature:search")


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({}, True),
        ({"on": ["CostAnomaly", "BudgetExhausted"]}, True),
        ({"on": "CostAnomaly"}, False),
        ({"match": {"tenant": "ac*"}}, True),
        ({"match": {"tenant": "b*"}}, False),
        ({"match": {"model": "gpt*"}}, False),
        ({"scope": "user:{user_id}"}, False),
        ({"scope": "global"}, True),
    ],
)
def test_a_rule_acts_on_names_and_labels(rule: dict[str, Any], matches: bool) -> None:
    assert bool(proposals(read_rules([{**RULE, **rule}]), alert())) == matches


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"on": "Nonsense"}, "on"),
        ({"acton": "kill"}, "acton"),
        ({"scope": "team:{feature}"}, "not a scope"),
        ({"scope": "feature:{a.b}"}, r"write labels as \{feature\}"),
        ({"expires": "soon"}, 'not a duration.*or "resolved"'),
        ({"action": "throttle"}, "needs a limit"),
        ({"limit": 5.0}, "needs a limit"),
        ({"action": "throttle", "limit": -1}, "limit"),
    ],
)
def test_given_a_rule_that_cannot_work_then_the_error_names_it(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"\[\[switches\]\].*{says}"):
        read_rules([{**RULE, **rule}])


@given(st.text(string.printable, max_size=20), st.text(max_size=20))
def test_a_label_never_becomes_another_scope(feature: str, tenant: str) -> None:
    rules = read_rules([RULE])
    for wanted in proposals(rules, alert(feature=feature, tenant=tenant)):
        assert wanted.control.scope == f"feature:{feature}"


# --- the agent -----------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Batch(NamedTuple):
    topic: str
    partition: int
    records: Sequence[Record]
    next_offset: int
    highwater: int | None = None


class World:
    """Topics, one state per partition, and the audit table; records are handed over as soon as they are written."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        agent = controls(Topics("llm.", PARTITIONS), read_rules(list(rules)), "c")
        self.new_state = agent.new_state
        self.states: list[Any] = [agent.new_state(p) for p in range(PARTITIONS)]
        self.logs: dict[tuple[str, int], list[Record]] = {(t, p): [] for t in agent.inputs for p in range(PARTITIONS)}
        self.rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.letters: list[str] = []
        self.now = 0.0

    def write(self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = (), *, partition: int = -1) -> None:
        p = partition_of(key, PARTITIONS) if partition < 0 else partition
        log = self.logs[topic, p]
        log.append(Record(topic, p, len(log), round(at(self.now).timestamp() * 1000), key, value, headers))
        self.deliver(log[-1])

    def deliver(self, record: Record) -> None:
        effects = Effects()
        self.states[record.partition].apply(Batch(record.topic, record.partition, [record], record.offset + 1), effects)
        self.carry_out(effects)

    def carry_out(self, effects: Effects) -> None:
        for row in effects.rows[ControlRow.TABLE]:
            fields = json.loads(row)
            identity = tuple(fields[name] for name in ("cluster", "topic", "partition", "offset", "status"))
            assert self.rows.setdefault(identity, fields) == fields, "a repeat must be identical"
        self.letters += [letter.reason for letter in effects.letters]
        for message in effects.messages:
            assert message.key is not None and message.partition == partition_of(message.key, PARTITIONS)
            self.write(message.topic, message.key, message.value, partition=message.partition)

    def alert(self, *alerts: Alert) -> None:
        for one in alerts:
            self.write(ALERTS, one.fingerprint.encode(), msgspec.json.encode(one))

    def operator(self, said: Control) -> None:
        self.write(CONTROLS, said.scope.encode(), msgspec.json.encode(said), [("mirante-author", b"ana")])

    def pass_time(self, seconds: float) -> None:
        for state in self.states:
            state.tick(1000 + self.now, {}, Effects())
        self.now += seconds
        for state in self.states:
            effects = Effects()
            state.tick(1000 + self.now, {}, effects)
            self.carry_out(effects)

    def written(self) -> list[Control]:
        """The records of llm.controls, in order of time of writing within a partition."""
        found = []
        for record in (record for (topic, _), log in self.logs.items() if topic == CONTROLS for record in log):
            with suppress(ControlError):
                found.append(read_control(record.key, record.value or b""))
        return found

    def decision(self, **names: str) -> str:
        return folded(*self.written()).decide(at(self.now), **names).action

    def audit(self) -> list[tuple[str, str, str]]:
        return [(row["status"], row["action"], row.get("note", "")) for row in self.rows.values()]


def test_given_an_alert_when_its_rule_kills_then_the_feature_is_killed_for_an_hour_and_audited() -> None:
    world = World(RULE)
    world.alert(alert())
    assert world.decision(feature="search") == "kill"
    (row,) = world.rows.values()
    assert row["source"] == "BudgetExhausted" and row["status"] == "recorded" and row["scope"] == "feature:search"
    world.pass_time(3600)
    assert world.decision(feature="search") == "allow"
    assert world.audit() == [("recorded", "kill", ""), ("expired", "kill", "")]
    assert [r["time"] for r in world.rows.values()] == ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"]


def test_given_the_alert_goes_on_firing_then_it_is_acted_on_once() -> None:
    world = World(RULE)
    world.alert(alert(), alert(time=60), alert(time=120))
    assert len(world.written()) == 1
    world.alert(alert("a2", time=180))
    assert len(world.written()) == 2


def test_given_an_operator_restores_what_a_rule_killed_then_the_same_alert_does_not_kill_it_again() -> None:
    world = World(RULE)
    world.alert(alert())
    world.operator(control(action="restore"))
    world.alert(alert(time=60))
    assert world.decision(feature="search") == "allow"
    assert world.audit()[-1] == ("recorded", "restore", "ends kill by BudgetExhausted of 2026-03-01 12:00:00 UTC")


def test_given_an_operators_kill_then_a_rule_neither_weakens_nor_replaces_nor_ends_it() -> None:
    throttle = {**RULE, "on": "BudgetBurn", "action": "throttle", "limit": 10.0, "restore_on_resolve": True}
    world = World({**RULE, "restore_on_resolve": True}, throttle)
    world.operator(control(reason="mine"))
    world.alert(alert("a1"), alert("a2", name="BudgetBurn"), alert("a1", "resolved", 60), alert("a2", "resolved", 60, name="BudgetBurn"))
    assert [c.reason for c in world.written()] == ["mine"]
    assert [status for status, _, _ in world.audit()] == ["recorded"] + ["refused"] * 4
    assert "an operator's word stands: kill by operator" in world.audit()[1][2]


def test_given_a_stricter_rule_then_it_replaces_a_throttle_and_a_weaker_one_does_not() -> None:
    world = World(RULE, {**RULE, "on": "BudgetBurn", "action": "throttle", "limit": 10.0})
    world.alert(alert("a1", name="BudgetBurn"), alert("a2"), alert("a3", name="BudgetBurn"))
    assert [c.action for c in world.written()] == ["throttle", "kill"]
    assert world.decision(feature="search") == "kill"


@pytest.mark.parametrize(("restores", "decision"), [(True, "allow"), (False, "kill")])
def test_given_the_alert_resolves_then_the_switch_ends_only_if_the_rule_says_so(restores: bool, decision: str) -> None:
    world = World({**RULE, "restore_on_resolve": restores})
    world.alert(alert(), alert(status="resolved", time=60))
    assert world.decision(feature="search") == decision


WHILE_IT_FIRES = {**RULE, "expires": "resolved"}


@pytest.mark.parametrize("month_first", [True, False])
def test_given_budgets_of_the_day_and_of_the_month_then_the_switch_lasts_until_the_month_is_over(month_first: bool) -> None:
    world = World(WHILE_IT_FIRES)
    both = [alert("day", ends=3_600), alert("month", ends=9_000)]
    world.alert(*both[:: -1 if month_first else 1])
    world.pass_time(3_600)
    world.alert(alert("day", "resolved", 3_600, ends=3_600))
    assert world.decision(feature="search") == "kill"
    world.pass_time(5_399)
    assert world.decision(feature="search") == "kill"
    world.pass_time(1)
    assert world.decision(feature="search") == "allow"


def test_given_a_kill_that_ends_before_the_throttle_of_another_alert_then_the_throttle_holds_again() -> None:
    world = World(RULE, {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 10.0})
    world.alert(alert("burns", name="BudgetBurn"), alert("exhausted"))
    assert world.decision(feature="search") == "kill"
    world.pass_time(3_600)
    assert world.decision(feature="search") == "throttle"
    assert [c.action for c in world.written()] == ["throttle", "kill", "throttle"]
    world.alert(alert("burns", "resolved", 3_700, name="BudgetBurn"))
    assert world.decision(feature="search") == "allow"


def test_given_an_operators_switch_for_a_while_then_what_rules_want_holds_again_after_it() -> None:
    world = World(WHILE_IT_FIRES)
    world.alert(alert())
    world.operator(control(action="throttle", limit=50, expires=60))
    assert world.decision(feature="search") == "throttle"
    world.pass_time(60)
    assert world.decision(feature="search") == "kill"


def test_given_an_operator_restores_then_no_alert_that_fires_holds_it_any_longer() -> None:
    world = World(WHILE_IT_FIRES)
    world.alert(alert("day", ends=3_600), alert("month", ends=9_000))
    world.operator(control(action="restore"))
    world.pass_time(3_600)
    world.alert(alert("day", "resolved", 3_600))
    assert world.decision(feature="search") == "allow"


def test_given_an_operators_restore_just_before_a_throttle_is_put_back_then_the_restore_holds() -> None:
    world = World(RULE, {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 10.0})
    world.alert(alert("burns", name="BudgetBurn"), alert("exhausted"))
    state = world.states[partition_of(b"feature:search", PARTITIONS)]
    world.now = 3_600
    effects = Effects()
    state.tick(0.0, {}, Effects())
    state.tick(3_600.0, {}, effects)
    assert [json.loads(message.value)["action"] for message in effects.messages] == ["throttle"]
    world.operator(control(action="restore", time=3_600))
    world.carry_out(effects)
    assert world.decision(feature="search") == "allow"


def test_given_a_switch_is_about_to_end_when_another_alert_fires_then_its_switch_comes() -> None:
    """Both in one batch: the end of the first has not been read back when the second is decided."""
    rules = read_rules([WHILE_IT_FIRES, {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 1.0}])
    state = ControlsState(0, alerts=ALERTS, proposals=PROPOSALS, controls=CONTROLS, partitions=1, source="c", rules=())
    life = [alert(), alert(status="resolved", time=60), alert("a2", time=61, name="BudgetBurn")]
    records = [
        Record(PROPOSALS, 0, n, 0, b"feature:search", msgspec.json.encode(one))
        for n, one in enumerate(wanted for step in life for wanted in proposals(rules, step))
    ]
    effects = Effects()
    state.apply(Batch(PROPOSALS, 0, records, len(records)), effects)
    assert [json.loads(message.value)["action"] for message in effects.messages] == ["kill", "restore", "throttle"]
    # And a weaker wish does not replace it, while only what was written before it has been read back
    written = [Record(CONTROLS, 0, n, 0, b"feature:search", message.value) for n, message in enumerate(effects.messages)]
    weaker = proposals(read_rules([{**RULE, "action": "throttle", "limit": 5.0}]), alert("a3"))
    late, again = Record(PROPOSALS, 0, 3, 0, b"feature:search", msgspec.json.encode(weaker[0])), Effects()
    for batch in (Batch(CONTROLS, 0, written[:2], 2), Batch(PROPOSALS, 0, [late], 4), Batch(CONTROLS, 0, written[2:], 3)):
        state.apply(batch, again)
    assert not again.messages and state.gauges()["switches"] == 1


lives = st.lists(st.tuples(st.sampled_from("bdm"), st.sampled_from(["fires", "resolved", "time"]), st.integers(1, 40)), max_size=30)


@given(lives)
def test_what_is_in_force_is_the_strictest_that_an_alert_which_fires_still_wants(history: list[tuple[str, str, int]]) -> None:
    """An alert fires once and is resolved once; ``b`` throttles while it fires, ``d`` kills until its period is over, ``m`` for a while."""
    throttle = {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 10.0}
    world = World(throttle, WHILE_IT_FIRES, {**RULE, "on": "RateLimitExceeded", "expires": "30m"})
    names = {"b": "BudgetBurn", "d": "BudgetExhausted", "m": "RateLimitExceeded"}
    firing: dict[str, tuple[str, float]] = {}
    numbers = dict.fromkeys(names, 0)
    for kind, what, n in history:
        if what == "time":
            world.pass_time(60.0 * n)
        elif (what == "fires") != (kind in firing):
            numbers[kind] += what == "fires"
            ends = world.now + 60.0 * n
            if what == "fires":
                firing[kind] = "throttle" if kind == "b" else "kill", {"b": inf, "d": ends, "m": world.now + 1_800}[kind]
            elif kind != "m":  # what was switched off for a while is over by itself
                del firing[kind]
            else:
                continue
            status = "firing" if what == "fires" else "resolved"
            period = ends if kind == "d" else None
            world.alert(alert(f"{kind}{numbers[kind]}", status, world.now, name=names[kind], ends=period, feature="search"))
        firing = {kind: wanted for kind, wanted in firing.items() if wanted[1] > world.now or kind == "d"}
        wanted = {action for action, end in firing.values() if end > world.now}
        assert world.decision(feature="search") == ("kill" if "kill" in wanted else "throttle" if wanted else "allow")


def test_given_an_alert_of_last_week_is_replayed_then_no_switch_is_written_that_has_expired_already() -> None:
    world = World(RULE)
    world.now = 7 * 86_400.0
    world.operator(control(action="throttle", limit=5, time=world.now))
    world.alert(alert())
    assert world.decision(feature="search") == "throttle"
    assert world.audit()[-1] == ("refused", "kill", "the alert is older than the switch would last")


def test_given_a_switch_that_has_expired_when_it_is_read_then_the_audit_says_so() -> None:
    world = World()
    world.now = 100.0
    world.operator(control(expires=60))
    assert world.audit() == [("recorded", "kill", "had expired when it was read")]


def test_given_a_dry_run_then_nothing_is_switched_and_the_audit_says_what_would_have_been() -> None:
    world = World({**RULE, "dry_run": True})
    world.alert(alert())
    assert world.written() == []
    assert world.audit() == [("dry_run", "kill", "")]


def test_given_a_restore_of_what_was_never_killed_then_it_is_recorded_and_says_so() -> None:
    world = World()
    world.operator(control(action="restore", reason="to be sure"))
    (row,) = world.rows.values()
    assert (row["status"], row["note"], row["author"]) == ("recorded", "nothing was in force", "ana")


def test_given_two_operators_then_both_are_in_the_audit_and_the_second_says_what_it_replaced() -> None:
    world = World()
    world.operator(control(reason="first", expires=100))
    world.operator(control(action="throttle", limit=5, reason="second", time=1))
    assert world.audit() == [("recorded", "kill", ""), ("recorded", "throttle", "replaces kill by operator of 2026-03-01 12:00:00 UTC")]
    world.pass_time(200)
    assert world.decision(feature="search") == "throttle"
    assert len(world.audit()) == 2, "what was replaced does not expire"


def test_given_an_expired_switch_then_no_record_is_written_that_could_undo_an_operators() -> None:
    world = World()
    world.operator(control(expires=60))
    world.pass_time(61)
    assert len(world.written()) == 1
    assert world.audit() == [("recorded", "kill", ""), ("expired", "kill", "")]
    assert all(state.gauges()["switches"] == 0 for state in world.states)


@pytest.mark.parametrize(
    ("topic", "value", "says"),
    [
        (ALERTS, b"{", "truncated"),
        (PROPOSALS, b"[]", "Expected"),
        (CONTROLS, b"\xff", "not a control"),
        (CONTROLS, b'{"scope":"global","action":"kill","time":"2026-03-01T12:00:00Z"}', "key of a control"),
    ],
)
def test_given_what_cannot_be_read_then_a_dead_letter_and_nothing_else(topic: str, value: bytes, says: str) -> None:
    world = World(RULE)
    world.write(topic, b"k", value)
    assert len(world.letters) == 1 and says in world.letters[0]
    assert not world.rows
    world.alert(alert())
    assert world.decision(feature="search") == "kill"


def test_given_a_deleted_record_then_its_scope_is_free_and_the_audit_says_so() -> None:
    world = World(RULE)
    world.operator(control())
    world.write(CONTROLS, b"feature:search", None)
    assert world.audit()[-1] == ("recorded", "restore", "ends kill by operator of 2026-03-01 12:00:00 UTC")
    world.alert(alert())
    assert [c.source for c in world.written()] == ["operator", "BudgetExhausted"]


def test_given_two_wishes_before_the_first_is_read_back_then_the_second_does_not_weaken_it() -> None:
    weaker = {**RULE, "on": "BudgetBurn", "action": "throttle", "limit": 1.0}
    state = ControlsState(0, alerts=ALERTS, proposals=PROPOSALS, controls=CONTROLS, partitions=1, source="c", rules=())
    wanted = proposals(read_rules([RULE, weaker]), alert()) + proposals(read_rules([weaker]), alert("a2", name="BudgetBurn"))
    records = [Record(PROPOSALS, 0, n, 0, b"feature:search", msgspec.json.encode(one)) for n, one in enumerate(wanted)]
    effects = Effects()
    state.apply(Batch(PROPOSALS, 0, records, len(records)), effects)
    assert [json.loads(message.value)["action"] for message in effects.messages] == ["kill"]


@pytest.mark.parametrize("proposal_first", [True, False])
@pytest.mark.parametrize("restored", [True, False])
def test_given_a_switch_written_twice_by_a_crash_then_what_an_operator_said_in_between_holds(proposal_first: bool, restored: bool) -> None:
    """The worker died after writing the switch and before its checkpoint; its successor reads the proposal and the topic again."""
    (wanted,) = proposals(read_rules([RULE]), alert())
    proposal = Batch(PROPOSALS, 0, [Record(PROPOSALS, 0, 0, 0, b"feature:search", msgspec.json.encode(wanted))], 1)
    topic: list[Record] = []

    def write(value: bytes) -> None:
        topic.append(Record(CONTROLS, 0, len(topic), 0, b"feature:search", value))

    def read(state: ControlsState, begin: int) -> None:
        for record in topic[begin:]:
            effects = Effects()
            state.apply(Batch(CONTROLS, 0, [record], record.offset + 1), effects)
            sent.extend(message.value for message in effects.messages)

    sent: list[bytes] = []
    write(msgspec.json.encode(wanted.control))
    write(msgspec.json.encode(control(action="restore")))
    state = ControlsState(0, alerts=ALERTS, proposals=PROPOSALS, controls=CONTROLS, partitions=1, source="c", rules=())
    effects = Effects()
    if not proposal_first:
        read(state, 0)
        if restored:
            pieces = list(state.snapshot())
            state = ControlsState(0, alerts=ALERTS, proposals=PROPOSALS, controls=CONTROLS, partitions=1, source="c", rules=())
            for piece in pieces:
                state.load(piece)
    state.apply(proposal, effects)
    assert [message.value for message in effects.messages] == ([msgspec.json.encode(wanted.control)] if proposal_first else [])
    before = 0 if proposal_first else len(topic)
    for message in effects.messages:
        write(message.value)
    read(state, before)
    assert len(sent) == proposal_first
    for value in sent:
        write(value)
    records = [read_control(record.key, record.value or b"") for record in topic]
    assert folded(*records).decide(at(0), feature="search").action == "allow"


def test_memory_of_alerts_acted_on_is_bounded_and_forgets_the_oldest() -> None:
    state = ControlsState(0, alerts=ALERTS, proposals=PROPOSALS, controls=CONTROLS, partitions=1, source="c", rules=read_rules([RULE]))
    effects = Effects()
    for n in range(MAX_ACTED + 500):
        (wanted,) = proposals(read_rules([{**RULE, "dry_run": True}]), alert(f"a{n}"))
        record = Record(PROPOSALS, 0, n, 0, b"feature:search", msgspec.json.encode(wanted))
        state.apply(Batch(PROPOSALS, 0, [record], n + 1), effects)
    assert state.gauges()["acted_alerts"] == MAX_ACTED
    again = Record(PROPOSALS, 0, n + 1, 0, b"feature:search", msgspec.json.encode(wanted))
    state.apply(Batch(PROPOSALS, 0, [again], n + 2), effects)
    assert effects.row_count == MAX_ACTED + 500


steps = st.lists(
    st.tuples(st.sampled_from(["alert", "resolved", "kill", "throttle", "restore", "time"]), st.integers(1, 4), st.booleans()), max_size=25
)


@given(steps)
def test_given_crashes_and_repeats_at_any_moment_then_switches_and_audit_are_the_same(history: list[tuple[str, int, bool]]) -> None:
    """A crash loses the state since the last checkpoint and hands over again the records since; here the last one."""
    rules = ({**RULE, "restore_on_resolve": True}, {**WHILE_IT_FIRES, "on": "BudgetBurn", "action": "throttle", "limit": 1.0})

    def run(crashes: bool) -> tuple[list[Control], dict[Any, Any]]:
        world = World(*rules)
        saved: list[list[bytes]] = [[] for _ in world.states]
        for what, n, crash in history:
            if what == "time":
                world.pass_time(600 * n)
            elif what in ("alert", "resolved"):
                status = "firing" if what == "alert" else "resolved"
                world.alert(alert(f"a{n}", status, world.now, name="BudgetBurn" if n % 2 else "BudgetExhausted", feature="ab"[n % 2]))
            else:
                world.operator(control(f"feature:{'ab'[n % 2]}", what, world.now, world.now + 900, limit=3))
            for pieces, state in zip(saved, world.states, strict=True):
                if (piece := state.changes()) is not None:
                    pieces.append(piece)
            if crashes and crash:
                for p, pieces in enumerate(saved):
                    world.states[p] = world.new_state(p)
                    for piece in pieces:
                        world.states[p].load(piece)
                    saved[p] = list(world.states[p].snapshot())
                for (topic, _), log in world.logs.items():
                    if topic != CONTROLS and log:
                        world.deliver(log[-1])  # an alert or a proposal again
        return world.written(), world.rows

    calm, troubled = run(crashes=False), run(crashes=True)
    assert troubled[0] == calm[0]
    recorded = [{k: v for k, v in rows.items() if k[-1] == "recorded"} for rows in (calm[1], troubled[1])]
    assert recorded[0] == recorded[1]
