"""UnpricedModel through the whole pipeline: a model that is called once a minute is told of, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response

MINUTES = 60


def calls(model: str, feature: str, number: int) -> list[Sent]:
    """One a minute, each of a session of its own, so that they come from every partition."""
    sent = []
    for n in range(number):
        name, at = f"{feature}-{n}", 60.0 * (n - number)
        common = {"session_id": name, "feature": feature, "model": model, "provider": "acme"}
        usage = {"input_tokens": 1_000, "output_tokens": 100}
        sent.append(Sent("requests", request(name, at=at, **common), name))
        sent.append(Sent("responses", response(name, at=at + 0.5, session_id=name, usage=usage), name))
    return sent


def later(at: float) -> list[Sent]:
    """Other calls in every partition, so that event time goes on."""
    sent = []
    for n in range(16):
        name = f"t{at:g}-{n}"
        sent.append(Sent("requests", request(name, at=at, feature="other", session_id=name), name))
        sent.append(Sent("responses", response(name, at=at + 1, session_id=name), name))
    return sent


@pytest.mark.timeout(300)
def test_a_model_called_once_a_minute_is_one_alert_with_the_lines_to_paste(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path) as mirante:
        # Given: two features that call a model nobody lists, once a minute for an hour
        mirante.publish([*calls("acme-ultra", "chat", MINUTES), *calls("acme-ultra", "search", MINUTES)])
        mirante.publish(later(300))
        # Then: there is one alert, of the model
        found = "SELECT labels['provider'], labels['model'], status FROM mirante.alerts WHERE name = 'UnpricedModel'"
        mirante.eventually(found, [("acme", "acme-ultra", "firing")], within=200)
        [(action,)] = mirante.query("SELECT annotations['action'] FROM mirante.alerts WHERE name = 'UnpricedModel'")
        assert '[[prices]]\nmodel = "acme-ultra"\nprovider = "acme"' in action
