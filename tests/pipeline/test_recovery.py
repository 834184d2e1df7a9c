"""Given a worker that is killed with SIGKILL while requests are open, when it runs again, then nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation, Sent, request, response, unique

CALLS = 3_000
OPEN = range(0, CALLS, 2)
"""Half of the calls are not answered before the kill."""

SESSIONS = 40

INTERACTIONS = (
    "SELECT count(), uniqExact(request_id), countIf(outcome = 'ok'), sum(input_tokens), sum(cost_usd) FROM mirante.interactions "
    "WHERE tenant = {tenant:String}"
)
WINDOWS = (
    "SELECT window_seconds, sum(requests), sum(ok), sum(input_tokens), sum(cost_usd) FROM mirante.cost_windows "
    "WHERE tenant = {tenant:String} GROUP BY window_seconds ORDER BY window_seconds"
)
COST = Decimal("0.00021")
"""1,000 input and 100 output tokens of gpt-4o-mini."""


@pytest.fixture
def own(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation whose worker may be killed; small segments, so that the state holds parts of several."""
    with Installation(broker.bootstrap, tmp_path, segment_requests="256") as installation:
        yield installation


def test_open_requests_survive_a_kill_and_their_answers_complete_them_once(own: Installation) -> None:
    tenant, run = unique("killed"), unique("c")

    def asked(n: int) -> Sent:
        session = f"{run}-s{n % SESSIONS}"
        return Sent("requests", request(f"{run}-{n:05}", tenant=tenant, session_id=session, timeout_ms=600_000, at=n / 100), session)

    def answered(n: int) -> Sent:
        session = f"{run}-s{n % SESSIONS}"
        return Sent("responses", response(f"{run}-{n:05}", tenant=tenant, session_id=session, at=n / 100 + 1), session)

    later = set(OPEN)
    own.publish(record for n in range(CALLS) for record in ([asked(n)] if n in later else [asked(n), answered(n)]))
    done = CALLS - len(OPEN)
    own.eventually(INTERACTIONS, interactions(done), tenant=tenant)
    until_waiting(own, len(OPEN))

    worker = own.stack.workers[0]
    asyncio.run(worker.kill())
    # A part of the answers while no worker runs, some of what was counted before once more, and a new call.
    first, rest = list(OPEN[: len(OPEN) // 2]), list(OPEN[len(OPEN) // 2 :])
    own.publish([answered(n) for n in first] + [asked(1), answered(1), asked(0)])
    asyncio.run(worker.start())
    own.publish([answered(n) for n in rest] + [answered(n) for n in first[:100]] + [asked(CALLS), answered(CALLS)])

    own.eventually(INTERACTIONS, interactions(CALLS + 1), tenant=tenant)
    own.eventually(WINDOWS, windows(CALLS + 1), tenant=tenant)
    until_waiting(own, 0)
    assert own.query("SELECT count() FROM mirante.deadletter") == [(0,)]


def interactions(n: int) -> list[tuple[Any, ...]]:
    return [(n, n, n, 1000 * n, COST * n)]


def windows(n: int) -> list[tuple[Any, ...]]:
    return [(size, n, n, 1000 * n, COST * n) for size in (10, 60, 3_600, 86_400)]


def until_waiting(mirante: Installation, count: int, within: float = 45.0) -> None:
    """Wait until the workers say that so many requests and responses wait, and that all they have read is durable."""

    async def wait() -> None:
        async with asyncio.timeout(within):
            while True:
                status = await mirante.stack.status()
                if status and sum(worker["waiting"] for worker in status) == count and all(w["quiet_seconds"] for w in status):
                    return
                await asyncio.sleep(0.1)

    asyncio.run(wait())
