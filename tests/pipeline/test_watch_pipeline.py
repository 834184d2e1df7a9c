"""[[watch]] through the whole pipeline: scores that fall are an alert, of the feature whose answers they are given to."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response, rfc3339

WATCH = [
    {"name": "quality", "score": "helpfulness", "interval": 60},
    {"name": "retrieval", "field": "retrieval.ms", "interval": 60, "detector": "river:drift.ADWIN", "by": ["feature"]},
]
MINUTES, FALL = 240, 200


def judged_calls(feature: str, falls: bool) -> list[Sent]:
    """Six a minute, each of a session of its own; a judge says something of each, naming its answer alone."""
    rng, sent = random.Random(feature), list[Sent]()
    for n in range(6 * MINUTES):
        name, at = f"{feature}-{n}", 10.0 * n - 60.0 * MINUTES
        worse = falls and n >= 6 * FALL
        common: dict[str, Any] = {"session_id": name, "tenant": "acme"}
        took = {"retrieval": {"ms": rng.gauss(90 if worse else 40, 3)}}
        score = min(1.0, max(0.0, rng.gauss(0.35 if worse else 0.8, 0.05)))
        said = {"event_id": f"e-{name}", "time": rfc3339(at + 3), "response_id": f"r-{name}", "name": "helpfulness", "score": score}
        sent.append(Sent("requests", request(name, at=at, feature=feature, **common), name))
        sent.append(Sent("responses", response(name, at=at + 1, **common, **took), name))
        sent.append(Sent("evaluations", said, f"r-{name}"))
    return sent


def _time(one: Sent) -> str:
    assert isinstance(one.value, dict)
    return str(one.value["time"])


def later(at: float) -> list[Sent]:
    """Other calls in every partition, so that event time goes on."""
    sent = []
    for n in range(16):
        name = f"t{n}"
        sent.append(Sent("requests", request(name, at=at, feature="other", session_id=name), name))
        sent.append(Sent("responses", response(name, at=at + 1, session_id=name), name))
    return sent


@pytest.mark.timeout(300)
def test_a_score_and_a_field_that_jump_are_alerts_of_their_feature_and_of_no_other(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path, watch=WATCH) as mirante:
        # Given: two features with a judge's scores and a field of their own, one of which gets worse after 200 minutes
        calls = [*judged_calls("chat", falls=True), *judged_calls("search", falls=False)]
        calls.sort(key=_time)
        mirante.publish_at_once([*calls, *later(300)])
        # Then: both numbers are told of, with what was usual
        since = f"starts_at >= parseDateTimeBestEffort('{rfc3339(60.0 * (FALL - MINUTES - 1))}')"
        told = f"FROM mirante.alerts WHERE name = 'WatchAnomaly' AND {since} GROUP BY 1, 2 ORDER BY 1, 2"
        which = f"SELECT labels['watch'], labels['feature'] {told}"
        mirante.eventually(which, [("quality", "chat"), ("retrieval", "chat")], within=90)
        usual = mirante.query(which.replace("SELECT ", "SELECT argMin(expected, starts_at), ").replace("1, 2", "2, 3"))
        assert usual[0][0] == pytest.approx(0.8, abs=0.03)
        assert usual[1][0] == pytest.approx(40, abs=3)
