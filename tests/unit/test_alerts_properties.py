"""What holds of alerts whatever detectors say, in whatever order their partitions are read, and wherever a worker crashes."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.alerts.settings import AlertSettings
from agents.alerts.state import AlertsState
from schemas.findings import Finding, Findings
from schemas.outputs import Alert, AlertName, Severity
from streams.effects import Effects, OutgoingMessage

T0 = 1_772_366_400.0
PARTITIONS = 2
BUCKETS = 8
CAP = 2
SETTINGS = AlertSettings(pages_per_hour=CAP, no_data=300, flapping=4, flapping_keep=240, renotify=300)


class Condition(NamedTuple):
    """A fingerprint; it is reported by one source."""

    agent: str
    partition: int
    name: AlertName
    labels: dict[str, str]
    severity: Severity


ORDERED = [
    Condition("anomaly", 0, "ErrorRate", {"scope": "provider", "provider": "openai"}, "page"),
    Condition("anomaly", 0, "CostAnomaly", {"feature": "a"}, "page"),
    Condition("anomaly", 0, "LatencyAnomaly", {"feature": "a", "provider": "openai"}, "page"),
    Condition("anomaly", 1, "ErrorRate", {"feature": "b", "provider": "openai"}, "page"),
    Condition("anomaly", 1, "TrafficAnomaly", {"feature": "b"}, "ticket"),
    Condition("drift", 0, "Drift", {"feature": "a"}, "page"),
]
IMMEDIATE = [
    Condition("budgets", 0, "BudgetBurn", {"tenant": "x"}, "page"),
    Condition("budgets", 0, "BudgetExhausted", {"tenant": "x"}, "page"),
    Condition("budgets", 1, "RunawayLoop", {"session": "s"}, "page"),
]

Sources = dict[tuple[str, int], list[bytes]]

randoms = st.integers(0, 2**32).map(Random)
"""Thousands of small choices: drawn one by one they would take minutes."""


def spoken(chance: Random, conditions: list[Condition]) -> Sources:
    """The messages of each source, in its order: one per bucket of 60 s."""
    told: Sources = {(c.agent, p): [] for c in conditions for p in range(PARTITIONS)}
    durations = [(chance.choice([0.0, 60.0, 90.0]), chance.choice([0.0, 60.0, 150.0])) for _ in conditions]
    for bucket in range(1, BUCKETS + 1):
        for agent, partition in told:
            findings = []
            for c, (hold, keep) in zip(conditions, durations, strict=True):
                says = chance.choice([None, True, True, False])
                if says is None or (c.agent, c.partition) != (agent, partition):
                    continue
                back = 0 if agent == "anomaly" else chance.randrange(60)
                findings.append(Finding(
                    name=c.name, labels=c.labels, time=T0 + 60 * bucket - back, active=says, severity=c.severity,
                    hold=hold, keep=keep, value=float(chance.randint(1, 5)), since=chance.choice([None, T0 + 60 * bucket - 100]),
                ))  # fmt: skip
            told[agent, partition].append(_message(agent, partition, T0 + 60 * bucket, findings))
    return told


def _message(agent: str, partition: int, clock: float, findings: list[Finding]) -> bytes:
    return msgspec.msgpack.encode(Findings(agent=agent, partition=partition, clock=clock, findings=findings))


def interleaved(chance: Random, told: Sources) -> list[bytes]:
    """One order in which the topic may hold the messages; every source has been heard of."""
    queues = {source: list(messages) for source, messages in told.items()}
    log = [_message(agent, partition, T0, []) for agent, partition in told]
    while queues:
        source = chance.choice(sorted(queues))
        log.append(queues[source].pop(0))
        if not queues[source]:
            del queues[source]
    return log


def ends(told: Sources) -> list[bytes]:
    """Every source goes on, with nothing more to report, until all alerts must have been resolved."""
    over = T0 + 60 * BUCKETS
    ceased = [  # detectors that act at once report changes only, the end included
        _message(c.agent, c.partition, over + 1, [Finding(name=c.name, labels=c.labels, time=over + 1, active=False)])
        for c in IMMEDIATE
        if (c.agent, c.partition) in told
    ]
    return ceased + [_message(agent, partition, over + t, []) for t in (400, 800) for agent, partition in told]


class Reader:
    """A worker with its changelog."""

    def __init__(self) -> None:
        self.state = self._new()
        self.changelog: list[bytes] = []

    @staticmethod
    def _new() -> AlertsState:
        return AlertsState("llm.alerts", PARTITIONS, SETTINGS, "cluster")

    def read(self, log: list[bytes]) -> tuple[list[OutgoingMessage], list[bytes]]:
        effects = Effects()
        for offset, value in enumerate(log):
            record = SimpleNamespace(offset=offset, value=value, headers=())
            batch: Any = SimpleNamespace(records=[record])
            self.state.apply(batch, effects)
        assert not effects.letters
        return effects.messages, effects.rows["alerts_data"]

    def checkpoint(self) -> None:
        if (changes := self.state.changes()) is not None:
            self.changelog.append(changes)

    def crash(self) -> None:
        self.state = self._new()
        for piece in self.changelog:
            self.state.load(piece)
            self.state.load(piece)  # twice is the same as once


def read(log: list[bytes]) -> list[Alert]:
    return [msgspec.json.decode(message.value, type=Alert) for message in Reader().read(log)[0]]


Span = tuple[str, Any, Any]


def spans(alerts: list[Alert]) -> set[Span]:
    return {(a.alert_id, a.starts_at, a.ends_at) for a in alerts if a.status == "resolved"}


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_a_fingerprint_has_at_most_one_firing_alert_at_any_time(chance: Random) -> None:
    told = spoken(chance, ORDERED + IMMEDIATE)
    alerts = read([*interleaved(chance, told), *ends(told)])
    firing: dict[str, str] = {}
    last: dict[str, Alert] = {}
    for alert in alerts:
        before = last.get(alert.fingerprint)
        if alert.status == "firing":
            assert firing.setdefault(alert.fingerprint, alert.alert_id) == alert.alert_id
        else:
            assert firing.pop(alert.fingerprint) == alert.alert_id
            assert alert.ends_at is not None and alert.starts_at < alert.ends_at
        if before is not None and before.alert_id != alert.alert_id:
            assert before.ends_at is not None and before.ends_at <= alert.starts_at
        last[alert.fingerprint] = alert
    assert not firing  # all detectors have fallen silent


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_ids_starts_and_ends_do_not_depend_on_the_order_of_reading(chance: Random) -> None:
    told = spoken(chance, ORDERED + IMMEDIATE)
    one, other = (read([*interleaved(chance, told), *ends(told)]) for _ in range(2))
    assert spans(one) == spans(other)


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_of_ordered_detectors_nothing_at_all_depends_on_the_order_of_reading(chance: Random) -> None:
    told = spoken(chance, ORDERED)
    one, other = (Reader().read([*interleaved(chance, told), *ends(told)]) for _ in range(2))
    assert one == other  # severity, inhibition, digests, versions, sequence


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_pages_never_exceed_the_cap_in_any_hour(chance: Random) -> None:
    told = spoken(chance, ORDERED + IMMEDIATE)
    alerts = read([*interleaved(chance, told), *ends(told)])
    shown: defaultdict[str, str] = defaultdict(str)
    pages = []
    for alert in alerts:
        if alert.severity == "page" != shown[alert.alert_id]:
            pages.append(alert.updated_at.timestamp())
        shown[alert.alert_id] = alert.severity
    assert all(sum(begin <= t < begin + 3600 for t in pages) <= CAP for begin in pages)


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_a_crash_at_any_point_repeats_messages_and_changes_none(chance: Random) -> None:
    told = spoken(chance, ORDERED + IMMEDIATE)
    log = [*interleaved(chance, told), *ends(told)]
    expected = Reader().read(log)
    stored = chance.randint(0, len(log))
    crashed = chance.randint(stored, len(log))
    every = chance.randint(1, 7)  # records between checkpoints

    worker = Reader()
    messages, rows = [], []
    for at in range(0, stored, every):
        some = worker.read(log[at : min(at + every, stored)])
        messages += some[0]
        rows += some[1]
        worker.checkpoint()
    lost = worker.read(log[stored:crashed])
    worker.crash()
    after = worker.read(log[stored:])

    assert lost == (after[0][: len(lost[0])], after[1][: len(lost[1])])  # what was sent before is sent again, byte for byte
    assert (messages + after[0], rows + after[1]) == expected


@settings(max_examples=200, deadline=None)
@given(randoms)
def test_findings_said_again_change_nothing(chance: Random) -> None:
    told = spoken(chance, ORDERED + IMMEDIATE)
    log = interleaved(chance, told)
    begin, end, at = sorted(chance.randint(0, len(log)) for _ in range(3))
    worker = Reader()
    worker.read(log[:at])
    worker.checkpoint()
    worker.crash()
    assert worker.read(log[begin:end]) == ([], [])
    assert spans(read([*log[:at], *log[begin:end], *log[at:], *ends(told)])) == spans(read([*log, *ends(told)]))
    assert worker.state.gauges() == _gauges(log[:at])


def _gauges(log: list[bytes]) -> Any:
    worker = Reader()
    worker.read(log)
    return worker.state.gauges()
