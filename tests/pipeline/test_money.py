"""Budgets, limits and loops through the whole pipeline: from events to alerts and switches."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import msgspec
import pytest

from deploy.embedded.broker_api import Broker
from schemas.outputs import Alert, Control
from tests.installation import Installation, Sent, request, response
from tests.kafka_clients import read_all

BUDGETS = [
    {"name": "day", "by": "tenant", "limit": "0.001", "window": "rolling 24h", "severity": "page", "burn": False},
    {"name": "kept", "by": "tenant", "limit": "0.0021", "window": "rolling 24h", "burn": False},
]
LIMITS = [{"name": "fast", "by": "user", "limit": 12, "per": "1m"}]
SWITCHES = [{"on": "BudgetExhausted", "action": "throttle", "limit": 5.0, "scope": "tenant:{tenant}", "expires": "1000h"}]


def calls(tenant: str, count: int, first: int = 0, begin: float = 0.0, **fields: object) -> list[Sent]:
    """Each costs 0.00021 USD. ``begin``: seconds; what comes later must also happen later, or it is late for loops and limits."""
    sent = []
    for n in range(first, first + count):
        name = f"{tenant}-{n}"
        common = {"tenant": tenant, "session_id": f"s-{name}", **fields}
        session = str(common["session_id"])
        sent.append(Sent("requests", request(name, at=begin + n * 0.1, **common), session))
        sent.append(Sent("responses", response(name, at=begin + n * 0.1 + 1, tenant=tenant, session_id=session), session))
    return sent


def published_alerts(mirante: Installation) -> list[Alert]:
    records = asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}alerts"))
    return [msgspec.json.decode(record.value, type=Alert) for record in records]


@pytest.mark.timeout(300)
def test_spending_becomes_one_alert_and_a_switch_whatever_crashes(broker: Broker, tmp_path: Path) -> None:
    with Installation(broker.bootstrap, tmp_path, budgets=BUDGETS, limits=LIMITS, switches=SWITCHES) as mirante:
        # Given a tenant that spends 0.00105 of 0.001 USD, and others that spend less
        mirante.publish([*calls("dear", 5), *calls("cheap", 4)])
        alerts = "SELECT name, labels['budget'], labels['tenant'], severity, status FROM mirante.alerts WHERE name = 'BudgetExhausted'"
        # Then there is one alert, and a switch
        dear, cheap = (("BudgetExhausted", "day", tenant, "page", "firing") for tenant in ("dear", "cheap"))
        mirante.eventually(alerts, [dear], within=60)
        switches = "SELECT scope, action, limit, source FROM mirante.controls"
        mirante.eventually(switches, [("tenant:dear", "throttle", 5.0, "BudgetExhausted")])
        # When the worker is killed and more is spent
        [worker] = mirante.stack.workers
        worker.signal(signal.SIGKILL)
        asyncio.run(worker.kill())
        asyncio.run(worker.start())
        mirante.publish([*calls("dear", 4, first=5, begin=100), *calls("cheap", 1, first=4, begin=100)])
        # Then the other tenant's alert comes, and the first is not repeated: 0.00189 USD are below the larger budget
        mirante.eventually(f"{alerts} ORDER BY labels['tenant']", [cheap, dear], within=60)
        # And a user's 13th call in a minute, and a session that asks the same thing 25 times, are said
        again = calls("loop", 25, begin=300, session_id="again", messages=[{"role": "user", "content": "go on"}])
        mirante.publish([*calls("quick", 13, begin=300, user_id="ana"), *again])
        others = (
            "SELECT name, labels['user'], labels['session'] FROM mirante.alerts "
            "WHERE name IN ('RateLimitExceeded', 'RunawayLoop') ORDER BY name"
        )
        mirante.eventually(others, [("RateLimitExceeded", "ana", ""), ("RunawayLoop", "", "again")], within=60)
        # And every alert on the topic has its summary, what to do, what it costs and the calls that show it
        published = published_alerts(mirante)
        assert len({alert.alert_id for alert in published if alert.labels.get("budget") == "day" and alert.labels["tenant"] == "dear"}) == 1
        for alert in published:
            assert alert.annotations["summary"]
            assert alert.annotations["action"]
            assert alert.evidence["response_ids"]
            assert alert.annotations["runbook_url"].endswith(f"#{alert.name.lower()}")
        # And the switch is on the topic as services read it
        records = asyncio.run(read_all(mirante.bootstrap, f"{mirante.prefix}controls"))
        switch = msgspec.json.decode(next(r.value for r in records if r.key == b"tenant:dear"), type=Control)
        assert (switch.scope, switch.action, switch.limit) == ("tenant:dear", "throttle", 5.0)
