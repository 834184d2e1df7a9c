"""An alert that leaves the house names no user, calls nobody and links nowhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from shlex import quote
from typing import Any

import pytest

from deploy.forward.outward import user_tag
from deploy.forward.payloads import request_for
from deploy.forward.receivers import read_receivers
from schemas.outputs import Alert

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = ("alertmanager", "pagerduty", "slack", "webhook")


def about(user: str, **fields: Any) -> Alert:
    scope = f"user:{user}"
    base: dict[str, Any] = {
        "labels": {"user": user, "tenant": "acme"},
        "annotations": {
            "summary": f"Budget per-user (user {user}) is exhausted: 12.00 USD of 10.00 USD of this day.",
            "action": f"Stop it with `mirante kill {quote(scope)} --reason 'budget exhausted'`, or raise the limit.",
            "runbook_url": "https://runbooks.example/x#budget",
        },
        "evidence": {"worst": [{"labels": {"user": "another@example.org"}, "value": 2.0}], "response_ids": ["r1"]},
    }
    return Alert(
        alert_id="a1", fingerprint="f1", name="BudgetExhausted", severity="page", status="firing", starts_at=NOON, updated_at=NOON,
        generator="budgets", **{**base, **fields},
    )  # fmt: skip


def sent(kind: str, alert: Alert, **fields: Any) -> str:
    row = {"type": kind, "url": "https://hooks.example/x", **({"routing_key": "k"} if kind == "pagerduty" else {}), **fields}
    [receiver] = read_receivers([row], {})
    return json.dumps(json.loads(request_for(receiver, [alert], NOON, b"secret").body), ensure_ascii=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("user", ["ana.lima@example.org", "12", "maria silva", "o'brien", "u-1 [x](y)", "7"])
def test_a_user_is_told_by_a_tag_only(kind: str, user: str) -> None:
    body, tag = sent(kind, about(user)), user_tag(user, b"secret")
    assert tag in body and "another" not in body and f"user {user}" not in body and f"user:{user}" not in body
    if len(user) > 4:
        assert user not in body and quote(user)[1:-1] not in body
    assert "12.00 USD of 10.00 USD" in body, "what only looks like the id stays"


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_may_be_allowed_the_ids(kind: str) -> None:
    assert "u-4711" in sent(kind, about("u-4711"), user_ids=True)


def test_tags_differ_by_user_and_by_installation() -> None:
    assert len({user_tag("a", b"x"), user_tag("b", b"x"), user_tag("a", b"y")}) == 3 and user_tag("", b"x") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_events_say_is_text_only(kind: str) -> None:
    text = "<!channel> @here \x1b[31m see https://evil.example [x](javascript:y)"
    notes = {"summary": text, "description": text, "runbook_url": "https://runbooks.example/x"}
    body = sent(kind, about("u", labels={"feature": text, "tenant": text}, annotations=notes, evidence={text: [text]}))
    for never in ("<!", "@here", "u001b", "\x1b", "https://evil", "script:y", "&lt;!"):
        assert never not in body
    assert "https://runbooks.example/x" in body
