"""Alerts in the forms of those who receive them. Pure functions: the requests, not the sending.

Alertmanager: api/v2/openapi.yaml of prometheus/alertmanager. PagerDuty: Events API v2. Slack: incoming webhooks, Block Kit. Plain
webhooks: https://www.standardwebhooks.com. Texts are cut to the lengths these accept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from agents.alerts.wording.numbers import Language
from agents.alerts.wording.values import WORDS
from deploy.forward.outward import outward
from deploy.forward.receivers import Alertmanager, PagerDuty, Receiver, Slack, Webhook, signing_key
from deploy.plain import for_slack
from schemas.outputs import Alert

RESEND_SECONDS = 60.0
"""How often Alertmanager is told again what fires. It forgets when it restarts, and expects to be reminded."""

STILL_FIRING = timedelta(seconds=4 * RESEND_SECONDS)
"""How long Alertmanager believes it without a reminder, as with Prometheus."""

PAGERDUTY_SEVERITY = {"page": "critical", "ticket": "warning", "info": "info"}

_PARTS = ("impact", "cause", "description", "action")
"""Annotations that Slack shows below the summary, each with its name."""

SLACK_MARK = {"page": ":red_circle:", "ticket": ":large_orange_circle:", "info": ":large_blue_circle:"}


_ADDRESS = re.compile(r"https?://[^\s/]+\S*")


class HttpPost(NamedTuple):
    """A POST. ``alert_ids``: what it is about, for the log."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    alert_ids: Sequence[str]


def request_for(
    receiver: Receiver, alerts: Sequence[Alert], now: datetime, secret: bytes = b"", language: Language = "en"
) -> HttpPost:
    """What to post; several alerts at once to Alertmanager only. ``now``: when it is sent. ``secret``: of the tags that stand for users.
    ``language``: of the headings; the texts are in that of ``[alerts]`` already."""
    alerts = [outward(alert, receiver, secret) for alert in alerts]
    match receiver:
        case Alertmanager():
            body = _json([alertmanager_alert(alert, now) for alert in alerts])
            url = receiver.url.rstrip("/") + "/api/v2/alerts"
            return _request(receiver, alerts, body, url=url)
        case PagerDuty():
            return _request(receiver, alerts, _json(pagerduty_event(alerts[0], receiver.routing_key)))
        case Slack():
            return _request(receiver, alerts, _json(slack_message(alerts[0], language)))
        case Webhook():
            body = _json(webhook_event(alerts[0]))
            return _request(receiver, alerts, body, headers=webhook_headers(alerts[0], body, receiver.secret, now))


def alertmanager_alert(alert: Alert, now: datetime) -> dict[str, Any]:
    """A ``postableAlert``. What Alertmanager has no field for goes into annotations ``mirante_*``, so nothing is lost."""
    ends = (alert.ends_at or alert.updated_at) if alert.status == "resolved" else now + STILL_FIRING
    numbers = {"value": alert.value, "expected": alert.expected, "threshold": alert.threshold}
    kept: dict[str, str] = {
        "alert_id": alert.alert_id,
        "fingerprint": alert.fingerprint,
        "updated_at": _rfc3339(alert.updated_at),
        "generator": alert.generator,
        "evidence": _text(alert.evidence) if alert.evidence else "",
        "window": _text(alert.window) if alert.window else "",
        **{name: repr(value) for name, value in numbers.items() if value is not None},
    }
    posted: dict[str, Any] = {
        "labels": {**alert.labels, "alertname": alert.name, "severity": alert.severity},
        "annotations": {**alert.annotations, **{f"mirante_{name}": value for name, value in kept.items() if value}},
        "startsAt": _rfc3339(alert.starts_at),
        "endsAt": _rfc3339(max(ends, alert.starts_at)),
    }
    page = _web_address(alert.annotations.get("dashboard_url", ""))
    if address := alert.generator if _ADDRESS.fullmatch(alert.generator) else page:
        posted["generatorURL"] = address
    return posted


def pagerduty_event(alert: Alert, routing_key: str) -> dict[str, Any]:
    """An event of the Events API v2; the fingerprint joins what belongs to one incident."""
    event: dict[str, Any] = {"routing_key": routing_key, "dedup_key": alert.fingerprint[:255]}
    if alert.status == "resolved":
        return {**event, "event_action": "resolve"}
    payload = {
        "summary": _cut(f"{alert.name}: {_summary(alert)}", 1024),
        "source": alert.generator or "mirante",
        "severity": PAGERDUTY_SEVERITY[alert.severity],
        "timestamp": _rfc3339(alert.updated_at),
        "component": alert.labels.get("feature", ""),
        "group": alert.labels.get("tenant", ""),
        "class": alert.name,
        "custom_details": {
            "alert_id": alert.alert_id,
            "labels": alert.labels,
            **alert.annotations,
            **_numbers(alert),
            "evidence": {name: value for name, value in alert.evidence.items() if name != "facts"},
        },
    }
    event |= {"event_action": "trigger", "client": "Mirante", "payload": {name: value for name, value in payload.items() if value != ""}}
    if links := _links(alert):
        event["links"] = [{"href": address, "text": name.capitalize()} for name, address in links.items()]
    return event


def slack_message(alert: Alert, language: Language = "en") -> dict[str, Any]:
    """A message for an incoming webhook: text for notifications, blocks for the eye."""
    terms, notes = WORDS[language].terms, alert.annotations
    resolved = alert.status == "resolved"
    mark = ":large_green_circle:" if resolved else SLACK_MARK[alert.severity]
    state = terms["resolved" if resolved else alert.severity]
    told = [f"*{terms[part]}* {for_slack(notes[part])}" for part in _PARTS if notes.get(part) and not (resolved and part == "action")]
    lines = [f"{mark} *{for_slack(alert.name)}* ({state})", for_slack(_summary(alert)), *told]
    blocks: list[dict[str, Any]] = [_section("\n".join(lines))]
    context = [f"{name}: `{for_slack(value)}`" for name, value in sorted(alert.labels.items())]
    if "summary" not in notes:
        context += [f"{name}: {number:g}" for name, number in _numbers(alert).items()]
    links = "  |  ".join(f"<{_link(address)}|{terms[name]}>" for name, address in _links(alert).items())
    labels = _cut("  |  ".join(context), 2_000)
    shown = "  |  ".join(part for part in (links, labels) if part) or state
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": shown, "verbatim": True}]})
    text = _cut(f"{alert.name} ({state}): {for_slack(_summary(alert))}", 3000)
    return {"text": text, "parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False, "blocks": blocks}


def webhook_event(alert: Alert) -> dict[str, Any]:
    """The alert as it is in ``llm.alerts``, in the envelope of Standard Webhooks."""
    return {"type": f"alert.{alert.status}", "timestamp": _rfc3339(alert.updated_at), "data": msgspec.to_builtins(alert)}


def webhook_headers(alert: Alert, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """Headers of Standard Webhooks. The id is the same whenever the same is sent again, so a receiver can know a repeat."""
    moment = round(alert.updated_at.timestamp() * 1000)
    message_id = f"{alert.alert_id}-{alert.status}-{moment}".replace(".", "-")
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    if secret:
        signed = b"%s.%s.%s" % (message_id.encode(), headers["webhook-timestamp"].encode(), body)
        digest = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _request(
    receiver: Receiver, alerts: Sequence[Alert], body: bytes, *, url: str | None = None, headers: Mapping[str, str] | None = None
) -> HttpPost:
    all_headers = {"Content-Type": "application/json", "User-Agent": "mirante", **(headers or {}), **receiver.headers}
    return HttpPost(url or receiver.url, body, all_headers, [alert.alert_id for alert in alerts])


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, 3000), "verbatim": True}}


def _summary(alert: Alert) -> str:
    return alert.annotations.get("summary") or " ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))


def _numbers(alert: Alert) -> dict[str, float]:
    numbers = {"value": alert.value, "expected": alert.expected, "threshold": alert.threshold}
    return {name: value for name, value in numbers.items() if value is not None}


def _links(alert: Alert) -> dict[str, str]:
    """Where there is more: addresses that a browser can open, by name."""
    found = {name: _web_address(alert.annotations.get(f"{name}_url", "")) for name in ("runbook", "dashboard")}
    return {name: address for name, address in found.items() if address}


def _link(address: str) -> str:
    """An address between the brackets of mrkdwn, which it cannot leave."""
    return address.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _web_address(text: str) -> str:
    """``text`` if a browser can open it, else ''. The default of ``alerts.runbooks`` is a file of the repository."""
    return text if text.startswith(("http://", "https://")) else ""
