"""The LiteLLM proxy itself with Mirante's guardrail and callback, as `docs/connect/litellm.md` has them, before a provider on loopback and
beside a running Mirante: every call that it lets through is priced once, and it refuses what a switch or a budget forbids.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.embedded.ports import free_port
from tests.otel.conftest import BUDGET, FEATURE, MIRANTE, ROOT, Mirante
from tests.otel.provider import ServingProvider

PAGE = (ROOT / "docs/connect/litellm.md").read_text("utf-8")
[HOOKS] = re.findall(r"<!-- test: proxy -->\n```python\n(.*?)```", PAGE, re.DOTALL)
[CONFIG] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
MODELS = """
model_list:
  - {model_name: smart, litellm_params: {model: openai/gpt-4o-mini, api_base: URL/v1, api_key: k}}
  - {model_name: wise, litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: URL, api_key: k}}
  - {model_name: near, litellm_params: {model: openai/text-embedding-3-small, api_base: URL/v1, api_key: k}}
"""
KEY = "sk-proxy-test"
ASKED = [{"role": "user", "content": "What is the weather in Recife?"}]
REPLY = "It is sunny in Recife."
MOST = 300
"""Calls of a loop that nobody stops."""

ROWS = f"""
SELECT user_id, outcome, operation, provider, model, ifNull(input_tokens, 0) AS input_tokens,
    ifNull(output_tokens, 0) AS output_tokens, ifNull(cache_read_tokens, 0) AS cache_read_tokens,
    ifNull(reasoning_tokens, 0) AS reasoning_tokens, toString(cost_usd) AS cost_usd, session_id, output, rails
FROM mirante.interactions WHERE feature = '{FEATURE}' FORMAT JSONEachRow
"""


class Answer(NamedTuple):
    """Of the proxy. ``seconds``: since the switch that it obeyed, where that was waited for."""

    status: int
    text: str
    seconds: float = 0.0


class Proxy:
    """A running proxy. ``served``: what the provider served it; ``refused``: the users whose calls it refused."""

    def __init__(self, folder: Path, mirante: Mirante, provider: ServingProvider) -> None:
        (folder / "proxy_hooks.py").write_text(HOOKS)
        (folder / "config.yaml").write_text(CONFIG + MODELS.replace("URL", f"{provider.url}/{FEATURE}"))
        self._provider = provider
        self.refused: list[str] = []
        self._log = folder / "proxy.log"
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MIRANTE_ENDPOINT": mirante.ingest,
            "NO_PROXY": "127.0.0.1",
        }
        litellm = Path(sys.executable).with_name("litellm")
        command = [litellm, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 240
        while not self._lives():
            assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.2)

    def _lives(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/health/liveliness", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def served(self) -> list[Any]:
        return list(self._provider.served.get(FEATURE, []))

    def ask(self, path: str, user: str, **body: Any) -> Answer:
        said = {"user_id": user, "session_id": f"session-of-{user}", "feature": FEATURE}
        request = urllib.request.Request(
            f"{self._url}{path}",
            json.dumps({**body, "metadata": said}).encode(),
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            self.refused.append(user)
            return Answer(error.code, error.read().decode())

    def chat(self, user: str, model: str = "smart", **body: Any) -> Answer:
        return self.ask("/v1/chat/completions", user, model=model, messages=ASKED, max_tokens=50, **body)

    def until(self, status: int, user: str, model: str = "smart") -> Answer:
        """The first answer of a loop that has this status; else the last."""
        begun = time.monotonic()
        for _ in range(MOST):
            answer = self.chat(user, model)
            if answer.status == status:
                break
        return answer._replace(seconds=time.monotonic() - begun)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Made(NamedTuple):
    """The calls have been made, and what became of them is in ClickHouse."""

    chat: Answer
    streamed: Answer
    anthropic: Answer
    embedding: Answer
    killed: Answer
    of_a_killed_model: Answer
    restored: Answer
    stopped: Answer
    served: list[Any]
    """By the provider, in all."""
    refused: list[str]
    """Users of refused calls."""
    of_the_loop: list[Any]
    """By the provider, of the loop that its budget stopped."""
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(mirante: Mirante, provider: ServingProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    proxy = Proxy(tmp_path_factory.mktemp("proxy"), mirante, provider)
    try:
        # Given calls of all kinds
        chat = proxy.chat("ana")
        streamed = proxy.chat("ana", stream=True, stream_options={"include_usage": True})
        anthropic = proxy.chat("ana", model="wise")
        embedding = proxy.ask("/v1/embeddings", "ana", model="near", input="Recife")
        # and switches of an operator, one of a model by its own name, not by the proxy's
        switch(mirante, "kill", "user:eva", "--reason", "a leak")
        killed = proxy.until(403, "eva")
        switch(mirante, "kill", "model:claude-sonnet-4-5", "--reason", "too dear")
        of_a_killed_model = proxy.until(403, "ana", model="wise")
        switch(mirante, "restore", "user:eva", "--reason", "mended")
        restored = proxy.until(200, "eva")
        # and a loop with a budget
        before = len(proxy.served)
        stopped = proxy.until(403, "ben")
        served, refused = proxy.served, proxy.refused
        mirante.until(f"SELECT count() AS n FROM mirante.interactions WHERE feature = '{FEATURE}'", len(served) + len(refused))
        time.sleep(2)  # whatever would come beyond
        rows = mirante.query(ROWS)
        yield Made(
            chat, streamed, anthropic, embedding, killed, of_a_killed_model, restored, stopped, served, refused, served[before:], rows
        )  # fmt: skip
    finally:
        proxy.close()


def switch(mirante: Mirante, *arguments: str) -> None:
    subprocess.run([MIRANTE, *arguments, "--data", mirante.data], check=True, capture_output=True, timeout=60)


def test_what_the_proxy_lets_through_is_answered(made: Made) -> None:
    for answer in (made.chat, made.anthropic, made.restored):
        assert answer.status == 200, answer.text
        assert json.loads(answer.text)["choices"][0]["message"]["content"] == REPLY
    assert made.embedding.status == 200, made.embedding.text
    chunks = [json.loads(line) for line in re.findall(r"^data: (\{.*)$", made.streamed.text, re.MULTILINE)]
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == REPLY


def test_each_call_is_priced_once_by_what_the_provider_served(made: Made) -> None:
    told = [
        (
            *(row[name] for name in ("operation", "provider", "model")),
            *(int(row[name]) for name in ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens")),
            Decimal(row["cost_usd"] or "nan"),
        )
        for row in made.rows
        if row["outcome"] == "ok"
    ]
    served = [
        (
            call.operation, call.provider, call.model, call.input_tokens, call.output_tokens, call.cache_read_tokens,
            call.reasoning_tokens, call.cost_usd,
        )
        for call in made.served
    ]  # fmt: skip
    assert sorted(told) == sorted(served)
    assert {row["session_id"] for row in made.rows} == {"session-of-ana", "session-of-ben", "session-of-eva"}
    assert all(row["output"] == REPLY for row in made.rows if row["outcome"] == "ok" and row["operation"] == "chat")


def test_a_kill_switch_stops_calls_before_the_provider(made: Made) -> None:
    assert made.killed.status == 403
    assert "a leak" in made.killed.text
    print(f"refused {made.killed.seconds:.2f} s after `mirante kill` had ended")
    assert made.of_a_killed_model.status == 403, "by the model that the router chose, whatever its client calls it"
    assert "too dear" in made.of_a_killed_model.text


def test_a_budget_stops_a_loop(made: Made) -> None:
    cost = sum((call.cost_usd for call in made.of_the_loop), Decimal(0))
    print(f"stopped after {len(made.of_the_loop)} calls and {cost} USD of {BUDGET}")
    assert made.stopped.status == 403, made.stopped.text
    assert f"Budget {FEATURE}, feature {FEATURE}, user ben: used up" in made.stopped.text
    assert Decimal(BUDGET) <= cost


def test_a_refused_call_is_a_row_without_cost(made: Made) -> None:
    rows = [row for row in made.rows if row["outcome"] != "ok"]
    assert {"ana", "ben", "eva"} == set(made.refused)
    assert sorted(row["user_id"] for row in rows) == sorted(made.refused)
    assert {(row["outcome"], row["cost_usd"]) for row in rows} == {("blocked", None)}
    assert all("kill_switch" in row["rails"] for row in rows)
