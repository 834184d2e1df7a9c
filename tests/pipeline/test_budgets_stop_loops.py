"""Budgets that act, end to end: agents loop through the real SDK against a provider on loopback, the settings are those of the page
`docs/connect/budgets.md`, and everything in between is real.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import mirante as sdk
import pytest

from deploy.embedded.broker_api import Broker
from tests.installation import Installation
from tests.sdk.fakes import Provider

PAGE = Path(__file__).parents[2] / "docs/connect/budgets.md"
SETTINGS = tomllib.loads(re.findall(r"<!-- test: settings -->\n```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])
MODEL = "gpt-5-pro"
"""15 USD per million tokens in, 120 out: https://platform.openai.com/docs/pricing."""
USAGE = {"prompt_tokens": 320, "completion_tokens": 60, "total_tokens": 380}
USD = Decimal("0.012")
LOOP = 8_334
"""Calls that would cost 100 USD."""


@pytest.fixture(scope="module")
def installation(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(broker.bootstrap, tmp_path_factory.mktemp("stack"), **SETTINGS) as installation:
        yield installation


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[sdk.Client]:
    with sdk.Client(kafka=installation.bootstrap, topic_prefix=installation.prefix, controls_unknown="closed", controls_wait=30) as client:
        yield client


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Answers after 0.15 s, sooner than any model."""
    provider = Provider()
    provider.version, provider.chat_usage, provider.seconds = "2025-10-06", USAGE, 0.15
    yield provider
    provider.close()


class Agent:
    """Calls the model over and over. Unless it is ``stuck``, each time with other words."""

    def __init__(self, client: sdk.Client, provider: Provider, *, stuck: bool = False, **fields: str) -> None:
        self._client, self._url, self._stuck, self._fields = client, f"{provider.openai_url}/chat/completions", stuck, fields

    def _ask(self, request: sdk.Request) -> Any:
        body = json.dumps({"model": request.model, "messages": request.messages}).encode()
        with urllib.request.urlopen(urllib.request.Request(self._url, body), timeout=20) as answer:
            return json.load(answer)

    def call(self) -> str:
        words = "Go on." if self._stuck else "".join(random.choices(ascii_lowercase, k=20))
        return self._client.call(self._ask, model=MODEL, provider="openai", messages=words, **self._fields).text

    def loop(self, calls: int) -> None:
        for _ in range(calls):
            self.call()


@pytest.mark.timeout(300)
def test_a_loop_that_would_cost_100_usd_is_stopped_below_1(installation: Installation, client: sdk.Client, provider: Provider) -> None:
    # Given a budget of half a dollar per user and day, and a user who has spent little
    ben = Agent(client, provider, user_id="ben", session_id="b1", feature="assistant")
    ben.call()
    # When another user's agent loops
    provider.requests.clear()
    with pytest.raises(sdk.Killed) as stopped:
        Agent(client, provider, user_id="ana", session_id="a1", feature="assistant").loop(LOOP)
    # Then it is refused before it has cost a dollar, with the reason
    calls = len(provider.requests)
    print(f"stopped after {calls} calls and {calls * USD} USD")
    assert Decimal("0.5") <= calls * USD < 1
    assert "user:ana: Budget user-day, user ana: used up" in str(stopped.value)
    # And for all sessions of that user, but for nobody else
    with pytest.raises(sdk.Killed):
        Agent(client, provider, user_id="ana", session_id="a2", feature="assistant").call()
    assert ben.call() == provider.reply
    # And it ends with the day
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time())
    switch = "SELECT action, source, status, expires_at FROM mirante.controls WHERE scope = 'user:ana'"
    installation.eventually(switch, [("kill", "BudgetExhausted", "recorded", midnight)])
    # And every call is counted with its price, the refused ones at none
    assert client.flush(20)
    counted = "SELECT outcome, count(), sum(cost_usd) FROM mirante.interactions WHERE user_id = 'ana' GROUP BY outcome ORDER BY outcome"
    installation.eventually(counted, [("blocked", 2, None), ("ok", calls, calls * USD)])


@pytest.mark.timeout(300)
def test_a_session_that_says_the_same_again_and_again_is_stopped_long_before(
    installation: Installation, client: sdk.Client, provider: Provider
) -> None:
    with pytest.raises(sdk.Killed) as stopped:
        Agent(client, provider, stuck=True, user_id="eva", session_id="stuck", feature="assistant").loop(LOOP)
    assert "session:stuck: Feature assistant, model gpt-5-pro-2025-10-06, user eva, session stuck: it loops" in str(stopped.value)
    assert len(provider.requests) * USD < 0.5
    assert Agent(client, provider, user_id="eva", session_id="fresh", feature="assistant").call() == provider.reply


@pytest.mark.timeout(300)
def test_a_feature_over_its_budget_goes_on_slowly(installation: Installation, client: sdk.Client, provider: Provider) -> None:
    # Given a budget of 20 USD for a feature, and calls of 1.20 USD in many sessions
    provider.chat_usage = {"prompt_tokens": 32_000, "completion_tokens": 6_000, "total_tokens": 38_000}
    agents = [Agent(client, provider, session_id=f"r{n}", feature="research") for n in range(200)]
    said: list[str] = []
    # When they go on until ten have been refused
    for agent in agents:
        try:
            said.append(agent.call())
        except sdk.Throttled as throttled:
            said.append(str(throttled))
        if sum("feature:research" in text for text in said) == 10:
            break
    # Then nothing has come through since the first of them, for a minute, and other features are free
    assert all("feature:research" in text for text in said[-10:])
    assert said[-11] == provider.reply
    switch = "SELECT action, limit, status FROM mirante.controls WHERE scope = 'feature:research'"
    installation.eventually(switch, [("throttle", 6.0, "recorded")])
    assert Agent(client, provider, session_id="o1", feature="other").call() == provider.reply
