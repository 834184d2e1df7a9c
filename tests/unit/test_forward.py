"""Who is told of an alert, in which form, and what an answer leads to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.forward.delivery import LONGEST_DELAY, ReceiverAnswer, delay, judge
from deploy.forward.mirror import RESOLVED_SECONDS, Mirror
from deploy.forward.payloads import (
    STILL_FIRING,
    alertmanager_alert,
    pagerduty_event,
    request_for,
    slack_message,
    webhook_event,
)
from deploy.forward.receivers import Alertmanager, PagerDuty, Receiver, Slack, Webhook, read_receivers
from deploy.plain import for_chat, for_slack
from schemas.outputs import Alert, Window
from tests.unit.test_alert_texts import EXAMPLES, life_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=5)

POSTABLE_ALERTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["labels"],
        "properties": {
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "annotations": {"$ref": "#/definitions/labelSet"},
            "labels": {"$ref": "#/definitions/labelSet"},
            "generatorURL": {"type": "string", "format": "uri"},
        },
        # The definition allows what it does not name; a misspelt field would be lost in silence.
        "additionalProperties": False,
    },
    "definitions": {"labelSet": {"type": "object", "additionalProperties": {"type": "string"}}},
}
"""`postableAlerts` of api/v2/openapi.yaml in prometheus/alertmanager (Apache 2.0), as JSON Schema: Swagger 2.0 writes the same."""

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date-time")
def is_date_time(text: object) -> bool:
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", str(text)))


@FORMATS.checks("uri")
def is_uri(text: object) -> bool:
    return bool(re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/]+\S*", str(text)))


def alert(alert_id: str = "a1", **fields: Any) -> Alert:
    base: dict[str, Any] = {
        "fingerprint": "f1",
        "name": "CostAnomaly",
        "severity": "page",
        "status": "firing",
        "starts_at": NOON,
        "updated_at": NOON,
        "labels": {"feature": "search", "tenant": "acme"},
        "annotations": {"summary": "cost x3", "description": "model <gpt-4o> & more", "runbook_url": "https://runbooks.example/cost"},
        "value": 30.25,
        "expected": 10.0,
        "window": Window(start=NOON - timedelta(minutes=1), end=NOON),
        "evidence": {"response_ids": ["r1", "r2"]},
        "generator": "https://mirante.example/anomaly",
    }
    return Alert(alert_id=alert_id, **{**base, **fields})


def resolved(**fields: Any) -> Alert:
    return alert(**{"status": "resolved", "updated_at": NOW, "ends_at": NOW, **fields})


def receiver(kind: str, **fields: Any) -> Receiver:
    row = {"type": kind, "url": "https://hooks.example/x", **({"routing_key": "k" * 32} if kind == "pagerduty" else {}), **fields}
    return read_receivers([row], {})[0]


# --- who -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "wants"),
    [
        ({}, True),
        ({"alerts": ["Budget*", "Cost*"]}, True),
        ({"alerts": ["Budget*"]}, False),
        ({"labels": {"tenant": "ac*"}}, True),
        ({"labels": {"tenant": "b*"}}, False),
        ({"labels": {"model": "?*"}}, False),
        ({"min_severity": "page"}, True),
    ],
)
def test_a_receiver_is_told_what_it_asks_for(rule: dict[str, Any], wants: bool) -> None:
    assert receiver("webhook", **rule).wants(alert()) == wants


@pytest.mark.parametrize(("severity", "least", "wants"), [("ticket", "page", False), ("ticket", "ticket", True), ("info", "ticket", False)])
def test_below_the_least_severity_nobody_is_told(severity: str, least: str, wants: bool) -> None:
    assert receiver("slack", min_severity=least).wants(alert(severity=severity)) == wants


@pytest.mark.parametrize("why", ["silenced_by", "inhibited_by"])
@pytest.mark.parametrize("kind", ["alertmanager", "pagerduty", "slack", "webhook"])
def test_given_a_suppressed_alert_then_nobody_is_told_but_what_was_opened_before_is_closed(kind: str, why: str) -> None:
    quiet = {"severity": "info", "annotations": {why: "s1"}}
    assert not receiver(kind).wants(alert(**quiet))
    assert receiver(kind, min_severity="page").wants(resolved(**quiet)) == (kind != "slack")


def test_given_no_name_then_the_type_and_secrets_come_from_the_environment() -> None:
    rows = [
        {"type": "pagerduty", "routing_key": "env:PD_KEY"},
        {"type": "slack", "url": "env:SLACK_URL", "name": "team"},
        {"type": "alertmanager", "url": "http://am:9093", "headers": {"Authorization": "env:AM_AUTH"}},
    ]
    pagerduty, slack, alertmanager = read_receivers(rows, {"PD_KEY": "k1", "SLACK_URL": "https://hooks.example/t", "AM_AUTH": "Bearer t"})
    assert isinstance(pagerduty, PagerDuty) and pagerduty.routing_key == "k1" and pagerduty.name == "pagerduty"
    assert isinstance(slack, Slack) and (slack.name, slack.url) == ("team", "https://hooks.example/t")
    assert isinstance(alertmanager, Alertmanager) and alertmanager.headers == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"type": "email", "url": "http://x"}], "type|email"),
        ([{"type": "slack"}], "url"),
        ([{"type": "slack", "url": "hooks.example"}], "url must be"),
        ([{"type": "slack", "url": "http://x", "token": "SECRET"}], "token"),
        ([{"type": "pagerduty"}], "routing_key"),
        ([{"type": "pagerduty", "routing_key": "env:NO_SUCH"}], "NO_SUCH, which is not set"),
        ([{"type": "slack", "url": "http://x"}, {"type": "slack", "url": "http://y"}], "slack occurs more than once"),
        ([{"type": "slack", "url": "http://x", "name": "a b"}], "name may hold"),
        ([{"type": "webhook", "url": "http://x", "secret": "whsec_SECRET!"}], "base64 must follow"),
        ([{"type": "slack", "url": "http://x", "min_severity": "high"}], "min_severity|high"),
    ],
)
def test_given_receivers_that_cannot_work_then_the_error_names_the_field_and_no_secret(rows: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValueError, match=rf"\[\[receivers\]\].*({says})") as error:
        read_receivers(rows, {})
    assert "SECRET" not in str(error.value)


# --- in which form --------------------------------------------------------------------------------------------------


def alert_of(posted: dict[str, Any], status: str) -> Alert:
    """What a reader of Alertmanager makes of it: the way back."""
    labels, notes = dict(posted["labels"]), dict(posted["annotations"])
    kept = {name.removeprefix("mirante_"): notes.pop(name) for name in list(notes) if name.startswith("mirante_")}
    for name in ("value", "expected", "threshold"):
        kept[name] = float(kept[name]) if name in kept else None
    for name in ("window", "evidence"):
        if name in kept:
            kept[name] = json.loads(kept[name])
    ends = {"ends_at": posted["endsAt"]} if status == "resolved" else {}
    own = {"name": labels.pop("alertname"), "severity": labels.pop("severity"), "status": status, "starts_at": posted["startsAt"]}
    return msgspec.convert({**own, **ends, **kept, "labels": labels, "annotations": notes}, Alert)


texts = st.text(max_size=20)
some_alerts = st.builds(
    alert,
    st.text(min_size=1, max_size=20),
    severity=st.sampled_from(["page", "ticket", "info"]),
    labels=st.dictionaries(st.sampled_from(["feature", "tenant", "model"]), texts),
    annotations=st.dictionaries(st.sampled_from(["summary", "description"]), texts),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    window=st.none() | st.just(Window(start=NOON, end=NOW)),
    evidence=st.dictionaries(texts, st.integers() | texts | st.lists(texts), max_size=3),
    generator=texts,
)


@given(some_alerts, st.booleans())
def test_an_alertmanager_alert_is_valid_and_nothing_is_lost(given_alert: Alert, over: bool) -> None:
    if over:
        given_alert = msgspec.structs.replace(given_alert, status="resolved", ends_at=NOW, updated_at=NOW)
    posted = json.loads(msgspec.json.encode(alertmanager_alert(given_alert, NOW)))
    jsonschema.validate([posted], POSTABLE_ALERTS, format_checker=FORMATS)
    assert alert_of(posted, given_alert.status) == given_alert


def test_a_generator_that_is_no_address_is_not_posted_as_one() -> None:
    assert alertmanager_alert(alert(), NOW)["generatorURL"] == "https://mirante.example/anomaly"
    assert "generatorURL" not in alertmanager_alert(alert(generator="https://no address"), NOW)
    assert "generatorURL" not in alertmanager_alert(alert(generator="anomaly"), NOW)


def test_given_a_firing_alert_then_alertmanager_believes_it_for_four_minutes_and_a_resolved_one_has_ended() -> None:
    assert alertmanager_alert(alert(), NOW)["endsAt"] == (NOW + STILL_FIRING).isoformat().replace("+00:00", "Z")
    assert alertmanager_alert(resolved(), NOW + STILL_FIRING)["endsAt"] == NOW.isoformat().replace("+00:00", "Z")
    future = alertmanager_alert(alert(starts_at=NOW + timedelta(days=1)), NOW)
    assert future["startsAt"] <= future["endsAt"], "Alertmanager refuses an end before the start"


def test_pagerduty_joins_by_fingerprint_and_resolves() -> None:
    event = pagerduty_event(alert(), "key")
    assert (event["event_action"], event["dedup_key"], event["routing_key"]) == ("trigger", "f1", "key")
    assert event["payload"]["severity"] == "critical" and event["payload"]["summary"] == "CostAnomaly: cost x3"
    assert event["payload"]["custom_details"]["evidence"] == {"response_ids": ["r1", "r2"]}
    assert pagerduty_event(resolved(), "key") == {"routing_key": "key", "dedup_key": "f1", "event_action": "resolve"}
    long = pagerduty_event(alert(annotations={"summary": "x" * 5000}), "key")
    assert len(long["payload"]["summary"]) == 1024


def test_a_slack_message_is_escaped_bounded_and_says_what_is_over() -> None:
    message = slack_message(alert())
    assert message["text"] == "CostAnomaly (page): cost x3"
    assert "model &lt;gpt-4o&gt; &amp; more" in message["blocks"][0]["text"]["text"]
    assert "<https://runbooks.example/cost|runbook>" in message["blocks"][1]["elements"][0]["text"]
    assert "(resolved)" in slack_message(resolved())["blocks"][0]["text"]["text"]
    assert "value" not in json.dumps(message), "the sentence has the numbers, with their units"
    long = slack_message(alert(annotations={"summary": "x", "description": "y" * 9000}))
    assert len(long["blocks"][0]["text"]["text"]) == 3000


@pytest.mark.parametrize("language", ["en", "pt"])
def test_every_receiver_gets_impact_cause_evidence_what_to_do_and_a_link_of_every_alert(language: Any) -> None:
    for example in EXAMPLES:
        for told in life_of(example, language).values():
            told.annotations["runbook_url"] = f"https://m.example/runbooks#{told.name.lower()}"
            for kind in ("alertmanager", "pagerduty", "slack", "webhook"):
                body = request_for(receiver(kind, user_ids=True), [told], NOW, b"", language).body.decode()
                if kind == "pagerduty" and told.status == "resolved":
                    continue  # it closes what is there
                text = json.dumps(json.loads(body), ensure_ascii=False)
                for part in ("summary", "impact", "cause", "description", "action"):
                    if kind == "slack" and told.status == "resolved" and part == "action":
                        continue
                    note = (for_slack if kind == "slack" else for_chat)(told.annotations.get(part, ""))
                    assert json.dumps(note, ensure_ascii=False)[1:-1] in text, (kind, example.title, part)
                assert f"https://m.example/runbooks#{told.name.lower()}" in text
                assert f"https://m.example/alerts?id={told.alert_id}" in text


def test_a_webhook_is_signed_as_standard_webhooks_and_a_repeat_has_the_same_id() -> None:
    secret = "whsec_" + base64.b64encode(b"the key").decode()
    hook = receiver("webhook", secret=secret)
    request = request_for(hook, [alert()], NOW)
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(b"the key", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    again = request_for(hook, [alert()], NOW + timedelta(hours=1))
    assert again.headers["webhook-id"] == headers["webhook-id"] and again.body == request.body
    assert request_for(hook, [resolved()], NOW).headers["webhook-id"] != headers["webhook-id"]
    assert json.loads(request.body)["type"] == "alert.firing"
    assert msgspec.convert(webhook_event(alert())["data"], Alert) == alert()
    assert "webhook-signature" not in request_for(receiver("webhook"), [alert()], NOW).headers


def test_requests_go_where_the_receiver_says_with_its_headers() -> None:
    request = request_for(
        receiver("alertmanager", url="http://am:9093/", headers={"Authorization": "Bearer t"}), [alert(), alert("a2")], NOW
    )
    assert request.url == "http://am:9093/api/v2/alerts"
    assert request.headers["Authorization"] == "Bearer t" and request.headers["Content-Type"] == "application/json"
    assert len(json.loads(request.body)) == 2 and request.alert_ids == ["a1", "a2"]


# --- what an answer leads to ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "delivered"), (202, "delivered"), (204, "delivered"), (400, "refused"), (401, "refused"), (404, "refused"), (302, "refused"),
     (408, "failed"), (429, "failed"), (500, "failed"), (503, "failed")],
)  # fmt: skip
def test_what_a_status_means(status: int, result: str) -> None:
    assert judge(status, "why", None, NOW).result == result


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Sun, 01 Mar 2026 12:06:00 GMT", 60.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_honoured_within_reason(header: str | None, seconds: float | None) -> None:
    assert judge(429, "", header, NOW).retry_after == seconds


@given(st.integers(1, 10_000), st.none() | st.floats(0, 3600), st.integers())
def test_the_pause_grows_is_bounded_and_never_less_than_asked_for(attempt: int, asked: float | None, seed: int) -> None:
    pause = delay(attempt, ReceiverAnswer("failed", retry_after=asked), random.Random(seed))
    assert (asked or 0) + 0.5 <= pause <= (asked or 0) + LONGEST_DELAY
    assert pause <= (asked or 0) + 2.0 ** min(attempt, 16)


# --- Alertmanager's state --------------------------------------------------------------------------------------------------


def test_what_fires_is_told_again_and_again_and_its_end_for_a_while() -> None:
    mirror = Mirror(receiver("alertmanager"))
    mirror.apply(alert(), 0)
    mirror.apply(alert("b1", fingerprint="f2"), 0)
    assert [a.alert_id for a in mirror.alerts(10_000)] == ["a1", "b1"]
    mirror.apply(resolved(), 10_000)
    assert [(a.alert_id, a.status) for a in mirror.alerts(10_001)] == [("b1", "firing"), ("a1", "resolved")]
    assert [a.alert_id for a in mirror.alerts(10_000 + RESOLVED_SECONDS)] == ["b1"]


def test_given_it_fires_again_then_its_old_end_is_no_longer_told() -> None:
    mirror = Mirror(receiver("alertmanager"))
    for n, step in enumerate((alert(), resolved(), alert("a2"))):
        mirror.apply(step, n)
    assert [a.alert_id for a in mirror.alerts(3)] == ["a2"]


def test_given_an_alert_resolved_under_another_severity_then_the_one_that_fired_ends() -> None:
    mirror = Mirror(receiver("alertmanager", min_severity="ticket"))
    mirror.apply(alert(), 0)
    mirror.apply(resolved(severity="info"), 1)
    assert [(a.status, a.severity) for a in mirror.alerts(2)] == [("resolved", "page")]


def test_given_an_alert_is_silenced_while_it_fires_then_it_is_told_no_more() -> None:
    mirror = Mirror(receiver("alertmanager"))
    mirror.apply(alert(), 0)
    mirror.apply(alert(annotations={"silenced_by": "s1"}), 1)
    assert mirror.alerts(2) == []


def test_every_type_of_receiver_has_a_form() -> None:
    for one in (receiver(kind) for kind in ("alertmanager", "pagerduty", "slack", "webhook")):
        assert isinstance(one, Alertmanager | PagerDuty | Slack | Webhook)
        assert json.loads(request_for(one, [alert()], NOW).body)
