"""From findings to alerts: how an alert lives, who explains whom, how many may page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest

from agents.alerts.agent import alert_settings, alerts
from agents.alerts.inbox import read_findings
from agents.alerts.settings import AlertSettings
from agents.alerts.silence import Silence, parse_matchers, silence_message
from agents.alerts.sources import GONE_AFTER
from agents.alerts.state import MOST_SILENCES, AlertsState
from agents.controls.rules import proposals, read_rules
from schemas.findings import Finding, Findings
from schemas.outputs import Alert, AlertName
from streams.effects import Effects
from streams.partitioner import partition_of
from streams.settings import SettingsError
from streams.topics import Topics

T0 = 1_772_366_400.0  # 2026-03-01T12:00:00Z
PARTITIONS = 2
TOPIC = "llm.internal.findings"


def found(name: str, t: float, active: bool = True, /, *, labels: dict[str, str] | None = None, **fields: Any) -> Finding:
    """A finding ``t`` seconds after T0; times are relative to it."""
    if "since" in fields:
        fields["since"] += T0
    return Finding(name=name, labels={"feature": "chat"} if labels is None else labels, time=T0 + t, active=active, **fields)


class Desk:
    """One state, read record by record; time is seconds after T0."""

    def __init__(self, partitions: int = PARTITIONS, **settings: Any) -> None:
        self.partitions = partitions
        self.settings = AlertSettings(**settings)
        self.state = AlertsState("llm.alerts", partitions, self.settings, "cluster")
        self.effects = Effects()
        self.offset = 0

    def record(self, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()) -> None:
        record = SimpleNamespace(
            topic=TOPIC, partition=0, offset=self.offset, timestamp=int(T0 * 1000), key=None, value=value, headers=tuple(headers)
        )
        self.offset += 1
        batch: Any = SimpleNamespace(topic=TOPIC, partition=0, records=[record], next_offset=self.offset, highwater=None)
        self.state.apply(batch, self.effects)

    def say(self, agent: str, partition: int, clock: float | None, *findings: Finding) -> None:
        at = None if clock is None else T0 + clock
        self.record(msgspec.msgpack.encode(Findings(agent=agent, partition=partition, clock=at, findings=list(findings))))

    def budgets(self, clock: float | None, *findings: Finding) -> list[Alert]:
        """The immediate detector says something; returns what is published."""
        self.say("budgets", 0, clock, *findings)
        return self.published()

    def history(self, clock: float, *findings: Finding) -> list[Alert]:
        """The immediate detector tells of a history."""
        self.record(msgspec.msgpack.encode(Findings(agent="budgets", partition=0, clock=T0 + clock, findings=list(findings), ordered=True)))
        return self.published()

    def anomaly(self, clock: float | None, *findings: Finding) -> list[Alert]:
        """All partitions of the ordered detector close a bucket; the findings are in the first."""
        for p in range(self.partitions):
            self.say("anomaly", p, clock, *(findings if p == 0 else ()))
        return self.published()

    def silence(self, silence: Silence) -> list[Alert]:
        _, partition, _, value, headers = silence_message(TOPIC, silence)
        assert partition == 0
        self.record(value, headers)
        return self.published()

    def published(self) -> list[Alert]:
        messages, self.effects.messages = self.effects.messages, []
        for message in messages:
            assert message.topic == "llm.alerts"
            assert message.partition == partition_of(message.key or b"", self.partitions)
        return [msgspec.json.decode(message.value, type=Alert) for message in messages]

    def restart(self) -> None:
        """A new worker, from what was stored."""
        restored = AlertsState("llm.alerts", self.partitions, self.settings, "cluster")
        for piece in self.state.snapshot():
            restored.load(piece)
        self.state = restored


def brief(alerts: Iterable[Alert]) -> list[tuple[str, str, str]]:
    return [(alert.name, alert.status, alert.severity) for alert in alerts]


def seconds(moment: datetime | None) -> float:
    assert moment is not None
    return moment.timestamp() - T0


class TestLife:
    def test_a_condition_without_hold_fires_as_soon_as_it_is_read(self) -> None:
        (alert,) = Desk().budgets(None, found("BudgetExhausted", 10, severity="page"))
        assert (alert.status, alert.severity, seconds(alert.starts_at), alert.ends_at) == ("firing", "page", 10, None)

    def test_a_condition_that_ends_before_its_hold_never_fires(self) -> None:
        desk = Desk()
        assert desk.budgets(10, found("BudgetBurn", 10, hold=60)) == []
        assert desk.budgets(50, found("BudgetBurn", 50, False)) == []
        assert desk.budgets(5000) == []

    def test_a_condition_fires_when_the_clock_passes_its_hold(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, hold=60))
        assert desk.budgets(70) == []
        (alert,) = desk.budgets(71)
        assert (seconds(alert.starts_at), seconds(alert.updated_at)) == (10, 70)

    def test_since_counts_towards_the_hold_and_is_the_start(self) -> None:
        (alert,) = Desk().budgets(10, found("BudgetBurn", 100, hold=60, since=30))
        assert (seconds(alert.starts_at), seconds(alert.updated_at)) == (30, 100)

    def test_an_alert_is_resolved_after_its_condition_was_absent_for_keep(self) -> None:
        desk = Desk()
        (fired,) = desk.budgets(10, found("BudgetBurn", 10, keep=30))
        assert desk.budgets(20, found("BudgetBurn", 20, False)) == []
        (resolved,) = desk.budgets(51)
        assert (resolved.status, resolved.alert_id) == ("resolved", fired.alert_id)
        assert (seconds(resolved.ends_at), seconds(resolved.updated_at)) == (50, 50)
        assert "no_data" not in resolved.annotations

    def test_a_condition_that_returns_within_keep_has_never_ended(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, keep=30))
        desk.budgets(20, found("BudgetBurn", 20, False))
        assert desk.budgets(50, found("BudgetBurn", 50, keep=30)) == []
        assert desk.budgets(800) == []

    def test_a_condition_that_returns_after_keep_is_another_alert_whatever_the_clock_said_between(self) -> None:
        desk = Desk()
        (first,) = desk.budgets(10, found("BudgetBurn", 10, keep=30))
        desk.budgets(10, found("BudgetBurn", 20, False))
        resolved, second = desk.budgets(10, found("BudgetBurn", 60, since=0, keep=30))
        assert (resolved.alert_id, resolved.status, seconds(resolved.ends_at)) == (first.alert_id, "resolved", 50)
        assert (second.status, seconds(second.starts_at)) == ("firing", 50)  # not before the first one's end
        assert second.alert_id != first.alert_id
        assert second.fingerprint == first.fingerprint

    def test_repeats_and_older_findings_change_nothing(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10), found("BudgetBurn", 20, False))
        desk.budgets(20, found("BudgetBurn", 10), found("BudgetBurn", 20, False), found("BudgetBurn", 15, severity="page"))
        assert brief(desk.budgets(200)) == [("BudgetBurn", "resolved", "ticket")]
        assert desk.budgets(200, found("BudgetBurn", 10)) == []

    def test_an_alert_whose_detector_falls_silent_is_resolved_and_says_so(self) -> None:
        desk = Desk(no_data=900)
        desk.anomaly(10, found("CostAnomaly", 10))
        desk.anomaly(500, found("CostAnomaly", 500))
        assert desk.anomaly(1399) == []
        (resolved,) = desk.anomaly(1400)
        assert (resolved.status, seconds(resolved.ends_at)) == ("resolved", 1400)
        assert "reported nothing more" in resolved.annotations["no_data"]

    def test_an_alert_of_an_idle_detector_follows_the_clock_of_the_others(self) -> None:
        desk = Desk()
        desk.budgets(None, found("BudgetBurn", 10, keep=60), found("BudgetBurn", 11, False))
        assert desk.anomaly(60) == []
        assert brief(desk.anomaly(960)) == [("BudgetBurn", "resolved", "ticket")]

    def test_a_condition_that_several_partitions_look_at_is_one_alert_until_it_has_ceased_in_all(self) -> None:
        def outage(t: float, shard: str, active: bool = True) -> Finding:
            return found("ErrorRate", t, active, labels={"scope": "provider", "provider": "openai", "shard": shard}, keep=10)

        desk = Desk()
        (fired,) = desk.anomaly(60, outage(60, "0"), outage(60, "1"))
        assert fired.labels == {"scope": "provider", "provider": "openai"}
        assert desk.anomaly(120, outage(120, "0", False), outage(120, "1")) == []
        assert desk.anomaly(180, outage(180, "1", False)) == []
        (resolved,) = desk.anomaly(240)
        assert (resolved.alert_id, resolved.status) == (fired.alert_id, "resolved")

    def test_of_a_detector_that_reports_changes_only_silence_says_nothing(self) -> None:
        desk = Desk(no_data=900)
        desk.budgets(10, found("BudgetBurn", 10))
        assert desk.budgets(100_000) == []

    def test_a_slow_source_of_the_lane_holds_the_clock_and_an_idle_one_does_not(self) -> None:
        desk = Desk()
        desk.say("budgets", 1, 15)
        desk.budgets(10, found("BudgetBurn", 10, keep=5), found("BudgetBurn", 11, False))
        assert desk.budgets(500) == []
        desk.say("budgets", 1, None)
        assert brief(desk.published()) == [("BudgetBurn", "resolved", "ticket")]

    def test_it_tells_again_after_renotify_or_when_the_value_doubles_or_the_severity_rises(self) -> None:
        desk = Desk(renotify=3600)

        def told(t: float, value: float, severity: str = "ticket") -> list[tuple[float | None, str]]:
            return [(a.value, a.severity) for a in desk.budgets(t, found("BudgetBurn", t, value=value, severity=severity))]

        assert told(0, 10) == [(10, "ticket")]
        assert told(60, 19) == []
        assert told(120, 20) == [(20, "ticket")]
        assert told(180, 25) == []
        assert told(240, 25, "page") == [(25, "page")]
        for t in range(300, 3840, 60):
            assert told(t, 25, "page") == []
        assert told(3840, 25, "page") == [(25, "page")]

    def test_a_flapping_alert_is_kept_until_it_is_quiet(self) -> None:
        desk = Desk(flapping=4, flapping_keep=900)
        for n in range(3):  # six changes
            alerts = desk.budgets(n * 100, found("BudgetBurn", n * 100, keep=60))
            assert len(alerts) == (1 if n == 0 else 2 if n == 1 else 0)  # the second return is already kept
            desk.budgets(n * 100 + 10, found("BudgetBurn", n * 100 + 10, False, keep=60))
        assert desk.budgets(1110) == []
        (resolved,) = desk.budgets(1111)
        assert seconds(resolved.ends_at) == 210 + 900
        assert resolved.annotations["flapping"] == "true"

    def test_what_is_resolved_is_forgotten_in_the_end(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10), found("BudgetBurn", 20, False))
        desk.budgets(100)
        assert desk.state.gauges()["alerts_known"] == 1
        desk.budgets(5000)
        assert desk.state.gauges() == {"alerts_known": 0, "alerts_firing": 0, "findings_held": 0, "silences": 0}


class TestOrder:
    def test_findings_wait_until_every_partition_has_come_as_far(self) -> None:
        desk = Desk()
        desk.say("anomaly", 0, 60, found("CostAnomaly", 60))
        assert desk.published() == []
        desk.say("anomaly", 1, 60, found("CostAnomaly", 60, labels={"feature": "a"}))
        assert [a.labels["feature"] for a in desk.published()] == ["a", "chat"]

    def test_an_idle_partition_is_not_waited_for(self) -> None:
        desk = Desk()
        desk.say("anomaly", 1, None)
        desk.say("anomaly", 0, 60, found("CostAnomaly", 60))
        assert len(desk.published()) == 1

    def test_a_partition_that_never_speaks_is_given_up(self) -> None:
        desk = Desk()
        desk.say("anomaly", 0, 60, found("CostAnomaly", 60))
        assert not desk.state.tick(1000.0, {}, desk.effects)
        desk.say("anomaly", 0, 120)
        assert not desk.state.tick(1000.0 + GONE_AFTER, {}, desk.effects)
        desk.say("anomaly", 0, 180)
        assert desk.state.tick(1001.0 + GONE_AFTER, {}, desk.effects)
        assert len(desk.published()) == 1

    def test_where_nobody_speaks_nobody_is_given_up(self) -> None:
        """given a history that has been read to its end, however long it is there, then no finding acts before its turn."""
        desk = Desk()
        desk.say("anomaly", 0, 60, found("CostAnomaly", 60))
        for minute in range(60):
            assert not desk.state.tick(1000.0 + 60 * minute, {}, desk.effects)
        assert not desk.published()

    def test_a_finding_that_comes_too_late_still_acts(self) -> None:
        desk = Desk()
        desk.say("anomaly", 1, None)
        desk.say("anomaly", 0, 120)
        desk.say("anomaly", 1, 120, found("CostAnomaly", 60))
        assert [seconds(alert.starts_at) for alert in desk.published()] == [60]

    def test_held_findings_survive_a_restart(self) -> None:
        desk = Desk()
        desk.say("anomaly", 0, 60, found("CostAnomaly", 60))
        desk.restart()
        desk.say("anomaly", 1, 60)
        assert len(desk.published()) == 1


OUTAGE = {"scope": "provider", "provider": "openai"}
PROVIDER = {"feature": "chat", "provider": "openai"}


class TestInhibition:
    def test_a_providers_outage_does_not_page_per_feature(self) -> None:
        desk = Desk()
        alerts = desk.anomaly(
            60,
            found("ErrorRate", 60, labels=OUTAGE, severity="page"),
            found("ErrorRate", 60, labels=PROVIDER, severity="page"),
            found("LatencyAnomaly", 60, labels={"feature": "chat"}, detail={"provider": "openai"}, severity="page"),
            found("ErrorRate", 60, labels={"feature": "chat", "provider": "other"}, severity="page"),
            found("CostAnomaly", 60, labels=PROVIDER, severity="page"),
        )
        shown = {(a.name, a.labels.get("provider"), "scope" in a.labels): a for a in alerts}
        outage = shown["ErrorRate", "openai", True]
        assert len(alerts) == 5  # each published once: the outage is known before any is shown
        assert {key for key, a in shown.items() if a.severity == "page"} == {
            ("ErrorRate", "openai", True), ("ErrorRate", "other", False), ("CostAnomaly", "openai", False),
        }  # fmt: skip
        for key in (("ErrorRate", "openai", False), ("LatencyAnomaly", None, False)):
            assert (shown[key].severity, shown[key].annotations["inhibited_by"]) == ("info", outage.fingerprint)

    def test_alerts_that_fired_before_their_explanation_are_taken_back_and_return_when_it_ends(self) -> None:
        desk = Desk()
        feature = {"labels": PROVIDER, "severity": "page"}
        assert brief(desk.anomaly(60, found("ErrorRate", 60, **feature))) == [("ErrorRate", "firing", "page")]
        outage, explained = desk.anomaly(120, found("ErrorRate", 120, **feature), found("ErrorRate", 120, labels=OUTAGE, severity="page"))
        assert (explained.severity, explained.annotations["inhibited_by"]) == ("info", outage.fingerprint)
        desk.restart()
        desk.anomaly(180, found("ErrorRate", 180, **feature), found("ErrorRate", 180, False, labels=OUTAGE))
        ended, back = desk.anomaly(240, found("ErrorRate", 240, **feature))
        assert (ended.fingerprint, ended.status) == (outage.fingerprint, "resolved")
        assert (back.alert_id, back.severity, back.status) == (explained.alert_id, "page", "firing")
        assert "inhibited_by" not in back.annotations

    def test_what_ends_with_its_explanation_does_not_page_again(self) -> None:
        desk = Desk()
        for t, active in ((60, True), (120, False)):
            desk.anomaly(t, found("ErrorRate", t, active, labels=OUTAGE), found("ErrorRate", t, active, labels=PROVIDER, severity="page"))
        assert sorted(brief(desk.anomaly(180))) == [("ErrorRate", "resolved", "info"), ("ErrorRate", "resolved", "ticket")]

    def test_an_exhausted_budget_explains_that_it_burns(self) -> None:
        desk = Desk()
        labels = {"budget": "acme", "tenant": "acme"}
        desk.budgets(10, found("BudgetBurn", 10, labels=labels, severity="page"), found("BudgetBurn", 10, labels={"budget": "b"}))
        exhausted, burn = desk.budgets(20, found("BudgetExhausted", 20, labels=labels, severity="page"))
        assert (burn.name, burn.severity, burn.annotations["inhibited_by"]) == ("BudgetBurn", "info", exhausted.fingerprint)

    def test_answers_that_please_fewer_explain_that_their_labels_foretell_less(self) -> None:
        desk = Desk()
        where = {"tenant": "acme", "feature": "chat"}
        labels, satisfaction = (
            found("QualityDrop", 60, labels={**where, "metric": metric})
            for metric in ("labels", "satisfaction")
        )
        other = found("QualityDrop", 60, labels={**where, "feature": "faq", "metric": "labels"})
        told = {alert.fingerprint: alert for alert in desk.anomaly(60, labels, satisfaction, other)}
        [explained] = [alert for alert in told.values() if alert.severity == "info"]
        assert explained.labels["metric"] == "labels" and explained.labels["feature"] == "chat"
        cause = told[explained.annotations["inhibited_by"]]
        assert cause.labels["metric"] == "satisfaction"

    def test_a_metric_that_is_told_of_explains_that_several_moved_together_in_its_series(self) -> None:
        desk = Desk()
        series = {"tenant": "acme", "feature": "chat", "model": "gpt-4o"}
        joint = {"name": "TrafficAnomaly", "labels": {**series, "metric": "joint"}}
        other = found("RefusalRate", 60, labels={**series, "model": "other"})
        assert brief(desk.anomaly(60, found(joint["name"], 60, labels=joint["labels"]), other))[-1][2] == "ticket"
        refusals, together = desk.anomaly(120, found(joint["name"], 120, labels=joint["labels"]), found("RefusalRate", 120, labels=series))
        assert (together.name, together.severity) == ("TrafficAnomaly", "info")
        assert together.annotations["inhibited_by"] == refusals.fingerprint

    @pytest.mark.parametrize(
        ("name", "metric", "explains"),
        [("ErrorRate", "answer_text", True), ("ErrorRate", "failed", True), ("RefusalRate", "refusal", True),
         ("UnansweredRequests", "output_tokens", True), ("LatencyAnomaly", "latency_ms", True), ("LatencyAnomaly", "answer_text", False),
         ("ErrorRate", "question_text", False), ("CostAnomaly", "answer_text", False)],
    )  # fmt: skip
    def test_a_drift_is_explained_by_failures_of_its_series_also_when_they_are_over(self, name: str, metric: str, explains: bool) -> None:
        desk = Desk()
        series = {"tenant": "acme", "feature": "chat", "model": "gpt-4o"}
        drift = {"feature": "chat", "model": "gpt-4o", "metric": metric, "cause": "silent_provider_change"}
        (failing,) = desk.anomaly(60, found(name, 60, labels=series))
        both = desk.anomaly(120, found(name, 120, False, labels=series), found("Drift", 120, labels=drift, since=60))
        (told,) = [alert for alert in both if alert.name == "Drift"]
        expected = ("info", failing.fingerprint) if explains else ("ticket", None)
        assert (told.severity, told.annotations.get("inhibited_by")) == expected
        # When: the failures are over, and the drift is still in the last hundreds of answers
        later = desk.anomaly(300, found("Drift", 300, labels=drift))
        assert [alert.name for alert in later if alert.name == "Drift"] == []
        # But not what begins long after them
        other = {**drift, "model": "gpt-4o", "cause": "prompt_change"}
        (new,) = desk.anomaly(900, found("Drift", 900, labels=other, since=900), found("Drift", 899, labels=drift))
        assert new.severity == "ticket"

    def test_an_alert_that_is_explained_says_by_what(self) -> None:
        desk = Desk()
        slow = found("LatencyAnomaly", 60, labels={"feature": "chat"}, detail={"provider": "openai"})
        _, latency = desk.anomaly(60, found("ErrorRate", 60, labels=OUTAGE), slow)
        assert "Explained by ErrorRate: Provider openai" in latency.annotations["description"]

    def test_a_cost_explained_by_traffic_is_information(self) -> None:
        desk = Desk()
        traffic, model = desk.anomaly(
            60,
            found("CostAnomaly", 60, severity="page", cause="traffic: 3.1 times the requests", description="Cost is high."),
            found("CostAnomaly", 60, severity="page", cause="model gpt-4o: 82%", labels={"feature": "x"}),
        )
        assert (traffic.severity, model.severity) == ("info", "page")
        assert traffic.annotations["description"].startswith("Cost is high. Explained by traffic")


def pages(desk: Desk, start: int, n: int, t: float) -> list[Alert]:
    labels = [{"feature": f"f{i:03}"} for i in range(start, start + n)]
    return desk.anomaly(t, *(found("CostAnomaly", t, labels=label, severity="page", keep=600) for label in labels))


class TestCap:
    def test_pages_beyond_the_cap_are_tickets_and_the_last_page_says_so(self) -> None:
        alerts = pages(Desk(pages_per_hour=3), 0, 5, 60)
        assert [a.severity for a in alerts] == ["page", "page", "page", "ticket", "ticket"]
        assert [a.annotations.get("digest", "")[:11] for a in alerts[:4]] == ["", "", "page 3 of 3", "1 delivered"]
        assert "until 13:01 UTC" in alerts[2].annotations["digest"]
        assert alerts[4].annotations["digest"].startswith("2 delivered as ticket instead of page")

    def test_after_an_hour_there_is_room_again(self) -> None:
        desk = Desk(pages_per_hour=3)
        pages(desk, 0, 5, 60)
        assert [a.severity for a in pages(desk, 10, 1, 3600) if a.status == "firing"] == ["ticket"]
        fresh = [a for a in pages(desk, 20, 4, 3660) if a.status == "firing"]
        assert [a.severity for a in fresh] == ["page", "page", "page", "ticket"]

    def test_the_cap_is_remembered_over_a_restart(self) -> None:
        desk = Desk(pages_per_hour=3)
        pages(desk, 0, 3, 60)
        desk.restart()
        assert [a.severity for a in pages(desk, 10, 1, 120)] == ["ticket"]

    def test_an_alert_that_has_paged_stays_a_page(self) -> None:
        desk = Desk(pages_per_hour=1, renotify=60)
        assert [a.severity for a in pages(desk, 0, 2, 60)] == ["page", "ticket"]
        assert [a.severity for a in pages(desk, 0, 2, 120)] == ["page", "ticket"]

    def test_without_pages_everything_is_a_ticket(self) -> None:
        assert [a.severity for a in pages(Desk(pages_per_hour=0), 0, 1, 60)] == ["ticket"]


def exhausted(user: str, t: float, active: bool = True, /, **fields: Any) -> Finding:
    """A budget of $5 per user and day."""
    labels = {"budget": fields.pop("budget", "per-user"), "user": user}
    return found("BudgetExhausted", t, active, labels=labels, by=["user"], threshold=5.0, **fields)


class TestDigest:
    def test_tickets_beyond_the_cap_become_one_that_counts_them_and_names_the_worst(self) -> None:
        desk = Desk(tickets_per_hour=2)
        alerts = desk.budgets(10, *(exhausted(f"u{n}", n, value=5.0 + n, usd_per_hour=float(n), response_ids=[f"r{n}"]) for n in range(6)))
        single = [a for a in alerts if "digest" not in a.labels]
        digests = [a for a in alerts if "digest" in a.labels]
        # Each is published once and as itself; only two of them, and the digest, are for people
        assert [a.labels["user"] for a in single] == [f"u{n}" for n in range(6)]
        assert [a.severity for a in single] == ["ticket"] * 2 + ["info"] * 4
        assert {a.annotations.get("inhibited_by") for a in single[2:]} == {digests[0].fingerprint}
        # The digest is told of when it begins and whenever it has doubled
        assert [a.value for a in digests] == [1, 2, 4]
        last = digests[-1]
        assert (last.name, last.severity, last.labels) == ("BudgetExhausted", "ticket", {"budget": "per-user", "digest": "user"})
        assert last.annotations["summary"] == (
            "Budget per-user: 4 more such alerts than the 2 an hour that are told of singly; the worst: user u5; user u4; user u3"
            " (2 when last told); since 12:00 UTC."
        )
        assert last.annotations["impact"] == "$14.00/h, 4 users"
        assert last.evidence["response_ids"] == ["r5", "r4", "r3", "r2"]
        assert last.evidence["worst"][0] == {"labels": {"budget": "per-user", "user": "u5"}, "value": 10.0, "threshold": 5.0}
        assert last.fingerprint in last.annotations["action"]

    def test_thousands_of_users_are_a_handful_of_messages_for_people(self) -> None:
        desk = Desk()
        alerts = desk.budgets(10, *(exhausted(f"u{n}", 1) for n in range(5000)))
        assert len(alerts) - 5000 == 13  # 1, 2, 4, ... 4096
        assert [a.severity for a in alerts].count("ticket") == 20 + 13

    def test_each_alert_ends_by_itself_and_the_digest_with_the_last(self) -> None:
        desk = Desk(tickets_per_hour=1)
        desk.budgets(10, *(exhausted(user, 1) for user in "abc"))
        assert brief(desk.budgets(100, exhausted("b", 20, False))) == [("BudgetExhausted", "resolved", "info")]
        assert brief(desk.budgets(200, exhausted("a", 110, False))) == [("BudgetExhausted", "resolved", "ticket")]
        (last,) = desk.budgets(300, exhausted("c", 210, False))
        assert (last.labels["user"], last.severity, seconds(last.ends_at)) == ("c", "info", 270)
        (digest,) = desk.budgets(400)
        assert (digest.status, digest.value, digest.severity) == ("resolved", 2, "ticket")
        assert "There were 2 more such alerts" in digest.annotations["summary"]

    def test_after_an_hour_there_is_room_again_and_who_has_been_told_of_stays(self) -> None:
        desk = Desk(tickets_per_hour=1, renotify=60)
        desk.budgets(10, exhausted("a", 1), exhausted("b", 2))
        later = desk.budgets(4000, exhausted("c", 3700), exhausted("b", 3701), exhausted("a", 3702))
        assert [(a.labels["user"], a.severity) for a in later] == [("c", "ticket"), ("b", "info"), ("a", "ticket")]

    def test_each_budget_has_its_own_room_and_what_is_not_one_of_many_needs_none(self) -> None:
        desk = Desk(tickets_per_hour=1)
        alerts = desk.budgets(
            10, exhausted("a", 1), exhausted("a", 2, budget="other"), found("BudgetExhausted", 3), found("BudgetExhausted", 4, labels={})
        )
        assert [a.severity for a in alerts] == ["ticket"] * 4

    def test_pages_without_room_are_tickets_and_then_in_the_digest(self) -> None:
        desk = Desk(pages_per_hour=1, tickets_per_hour=1)
        alerts = desk.budgets(10, *(exhausted(user, 1, severity="page") for user in "abc"))
        assert [a.severity for a in alerts if "digest" not in a.labels] == ["page", "ticket", "info"]

    def test_a_digest_that_has_ended_begins_anew(self) -> None:
        desk = Desk(tickets_per_hour=0)
        first = desk.budgets(10, exhausted("a", 1))[0]
        desk.budgets(500, exhausted("a", 20, False))
        again = desk.budgets(600, exhausted("b", 30))[0]  # of a partition that is behind
        assert (again.fingerprint, again.status) == (first.fingerprint, "firing") and again.alert_id != first.alert_id

    def test_a_silenced_one_needs_no_room_until_the_silence_ends(self) -> None:
        desk = Desk(tickets_per_hour=0)
        desk.silence(Silence(id="s", matchers={"user": "a"}, start=T0, end=T0 + 100))
        assert [a.annotations["silenced_by"] for a in desk.budgets(10, exhausted("a", 1))] == ["s"]
        digest, alert = desk.budgets(200)
        assert "digest" in digest.labels and alert.annotations["inhibited_by"] == digest.fingerprint

    def test_a_restart_changes_nothing(self) -> None:
        findings = [[exhausted(f"u{n}", n, value=6.0) for n in range(at, at + 3)] for at in range(0, 30, 3)]
        findings += [[exhausted(f"u{n}", 100 + n, False)] for n in range(30)]
        steady, restarted, follower = (Desk(tickets_per_hour=2) for _ in range(3))
        for n, some in enumerate([*findings, []]):
            restarted.restart()
            assert restarted.budgets(200.0 + 50 * n, *some) == steady.budgets(200.0 + 50 * n, *some)
            follower.state.load(steady.state.changes() or b"")
            assert follower.state.gauges() == restarted.state.gauges() == steady.state.gauges()
        lives = [dict(life for piece in of.state.snapshot() for life in msgspec.msgpack.decode(piece)[0]) for of in (follower, steady)]
        assert lives[0] == lives[1]

    def test_switches_act_on_each_alert_and_not_on_their_digest(self) -> None:
        rules = read_rules([
            {"on": "BudgetExhausted", "action": "kill", "scope": "user:{user}"},
            {"on": "BudgetExhausted", "action": "kill", "scope": "global"},
        ])  # fmt: skip
        alerts = Desk(tickets_per_hour=1).budgets(10, *(exhausted(user, 1) for user in "abcd"))
        wanted = [(p.alert_id, p.control.scope) for alert in alerts for p in proposals(rules, alert)]
        ids = {a.alert_id: a.labels["user"] for a in alerts if "user" in a.labels}
        assert len(ids) == 4
        assert wanted == [(i, scope) for i, user in ids.items() for scope in (f"user:{user}", "global")]


class TestSilences:
    def silence(self, start: float = 0, end: float = 1000, **fields: Any) -> Silence:
        matchers = fields.pop("matchers", {"alertname": "Budget*", "feature": "ch?t"})
        return Silence(id="s1", matchers=matchers, start=T0 + start, end=T0 + end, **fields)

    def test_a_silenced_alert_is_published_as_information(self) -> None:
        desk = Desk()
        desk.silence(self.silence())
        silenced, other = desk.budgets(
            10, found("BudgetBurn", 10, severity="page"), found("RunawayLoop", 10, labels={"feature": "chat"}, severity="page")
        )
        assert (silenced.severity, silenced.annotations["silenced_by"]) == ("info", "s1")
        assert other.severity == "page"

    def test_a_silence_takes_hold_of_what_fires_and_lets_go_when_event_time_passes_its_end(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, severity="page"))
        assert brief(desk.silence(self.silence(end=500))) == [("BudgetBurn", "firing", "info")]
        desk.restart()
        assert desk.budgets(499) == []
        (back,) = desk.budgets(501)
        assert (back.severity, seconds(back.updated_at), "silenced_by" in back.annotations) == ("page", 500, False)

    def test_a_silence_may_begin_later(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, severity="page"))
        assert desk.silence(self.silence(start=100)) == []
        assert brief(desk.budgets(101)) == [("BudgetBurn", "firing", "info")]

    def test_a_silence_is_removed_by_ending_it_in_the_past(self) -> None:
        desk = Desk()
        desk.budgets(100, found("BudgetBurn", 100, severity="page"))
        desk.silence(self.silence())
        assert brief(desk.silence(self.silence(end=1))) == [("BudgetBurn", "firing", "page")]
        assert desk.budgets(200) == []

    def test_silences_are_bounded(self) -> None:
        desk = Desk()
        for n in range(MOST_SILENCES + 1):
            desk.silence(Silence(id=f"{n}", matchers={"feature": "x"}, start=T0, end=T0 + 10))
        assert desk.state.gauges()["silences"] == MOST_SILENCES
        assert "silences already" in desk.effects.letters[0].reason
        desk.budgets(20)
        desk.anomaly(20)
        desk.silence(Silence(id="new", matchers={"feature": "x"}, start=T0, end=T0 + 100))
        assert desk.state.gauges()["silences"] == 1

    def test_matchers_as_written_on_the_command_line(self) -> None:
        assert parse_matchers(["feature=chat*", "alertname = CostAnomaly", "x=a=b"]) == {
            "feature": "chat*", "alertname": "CostAnomaly", "x": "a=b",
        }  # fmt: skip
        for wrong in (["feature"], ["=x"], [], ["a=1", "a=2"]):
            with pytest.raises(ValueError, match="label"):
                parse_matchers(wrong)


class TestContent:
    def test_an_alert_says_what_it_costs_why_and_what_to_do(self) -> None:
        (alert,) = Desk().budgets(10, found(
            "BudgetBurn", 10, labels={"tenant": "acme", "feature": "chat"}, severity="page", value=14.4, expected=1.0,
            threshold=6.0, window=(T0 - 3600, T0), summary="Budget burns", description="d", action="a", cause="model x: 82%",
            usd_per_hour=12.4, users=35, requests=1204, response_ids=["r1"], detail={"share": 0.82}, generator="budgets/burn",
        ))  # fmt: skip
        assert alert.annotations == {
            "summary": "Budget burns", "description": "d", "action": "a", "cause": "model x: 82%",
            "impact": "$12.40/h, 35 users, 1,204 requests", "runbook_url": "docs/runbooks.md#budgetburn", "group": "BudgetBurn/acme",
        }  # fmt: skip
        assert alert.labels == {"tenant": "acme", "feature": "chat"}
        assert alert.evidence == {"response_ids": ["r1"], "share": 0.82}
        assert (alert.value, alert.expected, alert.threshold, alert.generator) == (14.4, 1.0, 6.0, "budgets/burn")
        assert alert.window is not None
        assert (seconds(alert.window.start), seconds(alert.window.end)) == (-3600, 0)

    def test_labels_and_annotations_hold_strings_only(self) -> None:
        desk = Desk()
        desk.budgets(10, found("RunawayLoop", 10, labels={"session": "s"}, value=1.0, users=1))
        ((row,),) = desk.effects.rows.values()
        line = msgspec.json.decode(row)
        assert {type(value) for name in ("labels", "annotations") for value in line[name].values()} == {str}
        assert line["annotations"]["impact"] == "1 user"

    def test_each_state_of_an_alert_is_a_row_with_a_growing_version(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, value=1.0))
        desk.budgets(20, found("BudgetBurn", 20, value=2.0), found("BudgetBurn", 30, False))
        desk.budgets(100)
        rows = [msgspec.json.decode(row) for row in desk.effects.rows["alerts_data"]]
        assert [(row["version"], row["status"]) for row in rows] == [(1, "firing"), (2, "firing"), (3, "resolved")]
        assert len({(row["alert_id"], row["starts_at"]) for row in rows}) == 1
        assert rows[0]["starts_at"] == datetime.fromtimestamp(T0 + 10, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def test_labels_identify_whatever_their_order(self) -> None:
        desk = Desk()
        desk.budgets(10, found("BudgetBurn", 10, labels={"a": "1", "b": "2"}))
        assert desk.budgets(20, found("BudgetBurn", 20, labels={"b": "2", "a": "1"})) == []
        assert len(desk.budgets(30, found("BudgetBurn", 30, labels={"a": "2", "b": "1"}))) == 1


WRONG: list[tuple[Any, str]] = [
    (b"", "not a message of findings"),
    (None, "not a message of findings"),
    (b"\xff", "not a message of findings"),
    (Findings(agent="a", partition=0, clock=float("nan")), "clock nan is no moment"),
    (Findings(agent="a", partition=0, clock=1.0, findings=[found("BudgetBurn", float("inf"))]), "no moment"),
    (Findings(agent="a", partition=0, clock=1.0, findings=[found("BudgetBurn", 1, keep=-1.0)]), "between 0 and a year"),
    (Findings(agent="a", partition=0, clock=1.0, findings=[found("Unknown", 1)]), "Invalid enum value"),
    (Findings(agent="a", partition=0, clock=1.0, findings=[found("Drift", 1, detail={"x": msgspec.msgpack.Ext(9, b"")})]), "Ext"),
]


@pytest.mark.parametrize(("value", "reason"), WRONG)
def test_what_cannot_be_read_is_a_dead_letter_and_changes_nothing(value: Any, reason: str) -> None:
    desk = Desk()
    desk.record(value if value is None or isinstance(value, bytes) else msgspec.msgpack.encode(value))
    (letter,) = desk.effects.letters
    assert reason in letter.reason
    assert letter.offset == 0
    assert desk.published() == []
    assert desk.state.changes() is None


@pytest.mark.parametrize("value", [b"{}", b'{"id":"a","matchers":{},"start":0,"end":1}', b"\xff", None])
def test_a_silence_that_cannot_be_read_is_a_dead_letter(value: bytes | None) -> None:
    desk = Desk()
    desk.record(value, [("mirante-kind", b"silence")])
    assert "not a silence" in desk.effects.letters[0].reason


def test_the_latest_possible_moment_is_still_a_date() -> None:
    latest = 250_000_000_000.0
    desk = Desk()
    finding = Finding(name="Drift", labels={}, time=latest - 1, active=True, keep=366 * 86_400.0)
    assert read_findings(msgspec.msgpack.encode(Findings(agent="a", partition=0, clock=None, findings=[finding]))).findings == [finding]
    desk.record(msgspec.msgpack.encode(Findings(agent="budgets", partition=0, clock=latest, findings=[finding])))
    gone = Finding(name="Drift", labels={}, time=latest, active=False)
    desk.record(msgspec.msgpack.encode(Findings(agent="budgets", partition=0, clock=latest, findings=[gone])))
    assert len(desk.published()) == 1


def test_settings_name_what_is_wrong() -> None:
    assert alert_settings({}) == AlertSettings()
    with pytest.raises(SettingsError, match=r"alerts\.renotify.*\(got -1\)"):
        alert_settings({"renotify": -1})
    with pytest.raises(SettingsError, match=r"alerts\.pages_per_day"):
        alert_settings({"pages_per_day": 1})


def test_every_alert_has_a_runbook() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/runbooks.md").read_text("utf-8")
    assert {line[3:] for line in text.splitlines() if line.startswith("## ")} == set(get_args(AlertName))


def test_the_agent_reads_the_findings() -> None:
    agent = alerts(Topics("llm.", 4), AlertSettings(), "cluster", ["anomaly"])
    assert (agent.name, agent.inputs) == ("alerts", ("llm.internal.findings",))
    assert agent.new_state(0).gauges()["alerts_known"] == 0


def test_nothing_overtakes_a_finding_of_the_same_condition_that_waits_for_its_turn() -> None:
    desk = Desk()
    desk.anomaly(0.0)
    assert not desk.history(100.0, found("BudgetExhausted", 100.0))  # anomaly has not come as far
    assert desk.state.gauges()["findings_held"] == 1
    begun, ended = desk.budgets(300.0, found("BudgetExhausted", 200.0, False))  # what happens now acts at once
    assert (begun.status, ended.status) == ("firing", "resolved")
    assert begun.alert_id == ended.alert_id
    assert desk.state.gauges()["findings_held"] == 0
    restored = Desk()
    for piece in [*desk.state.snapshot()]:
        restored.state.load(piece)
    restored.offset = desk.offset
    assert not restored.anomaly(400.0) and not desk.anomaly(400.0)  # and it does not act again
