"""Alerts on a page in the language of the page, whatever language they were published in."""

from __future__ import annotations

import json

import pytest

from agents.alerts.wording.numbers import Language
from deploy.dashboard.wording import reworded
from schemas.outputs import Alert
from tests.unit.test_alert_texts import EXAMPLES, life_of


def row(alert: Alert) -> dict[str, object]:
    """As the query gives it."""
    moments = {"starts": alert.starts_at, "updated": alert.updated_at, "ends": alert.ends_at}
    same = (
        "alert_id",
        "fingerprint",
        "name",
        "severity",
        "status",
        "labels",
        "annotations",
        "value",
        "expected",
        "threshold",
        "generator",
    )
    return {
        **{name: getattr(alert, name) for name in same}, "evidence": json.dumps(alert.evidence),
        **{name: None if at is None else str(round(at.timestamp() * 1000)) for name, at in moments.items()},
    }  # fmt: skip


@pytest.mark.parametrize(("published", "shown"), [("en", "pt"), ("pt", "en"), ("en", "en")])
def test_a_page_says_an_alert_as_if_it_had_been_published_in_its_language(
    published: Language, shown: Language
) -> None:
    for example in EXAMPLES:
        there, here = life_of(example, published), life_of(example, shown)
        body = json.dumps({"data": [row(alert) for alert in there.values()]}).encode()
        found = json.loads(reworded(body, {"lang": shown}))["data"]
        for one, alert in zip(found, here.values(), strict=True):
            for part in ("summary", "description", "action"):
                assert one["annotations"][part] == alert.annotations[part]


def test_without_a_language_and_without_facts_an_alert_is_as_it_was_published() -> None:
    old = {**row(life_of(EXAMPLES[0], "en")["firing"]), "evidence": '{"response_ids": []}'}
    body = json.dumps({"data": [old]}).encode()
    assert reworded(body, {"lang": ""}) == body
    assert json.loads(reworded(body, {"lang": "pt"}))["data"] == [old]
