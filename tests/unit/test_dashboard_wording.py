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


def answer(*rows: dict[str, object]) -> bytes:
    """As ClickHouse gives them to the dashboard: names once, rows as lists."""
    meta = [{"name": name, "type": "String"} for name in rows[0]]
    return json.dumps({"meta": meta, "data": [list(row.values()) for row in rows]}).encode()


def annotations(body: bytes) -> list[dict[str, str]]:
    """Those of all rows of an answer."""
    found = json.loads(body)
    place = [column["name"] for column in found["meta"]].index("annotations")
    return [row[place] for row in found["data"]]


@pytest.mark.parametrize(("published", "shown"), [("en", "pt"), ("pt", "en"), ("en", "en")])
def test_a_page_says_an_alert_as_if_it_had_been_published_in_its_language(
    published: Language, shown: Language
) -> None:
    for example in EXAMPLES:
        there, here = life_of(example, published), life_of(example, shown)
        body = answer(*map(row, there.values()))
        found = annotations(reworded(body, {"lang": shown}))
        for one, alert in zip(found, here.values(), strict=True):
            for part in ("summary", "description", "action"):
                assert one[part] == alert.annotations[part]


def test_without_a_language_and_without_facts_an_alert_is_as_it_was_published() -> None:
    old = {**row(life_of(EXAMPLES[0], "en")["firing"]), "evidence": '{"response_ids": []}'}
    body = answer(old)
    assert reworded(body, {"lang": ""}) == body
    assert json.loads(reworded(body, {"lang": "pt"})) == json.loads(body)
