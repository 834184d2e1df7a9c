"""A running Mirante, and what it has made of the calls of all clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.otel.provider import ServingProvider

ROOT = Path(__file__).parents[2]
MIRANTE = Path(os.environ.get("MIRANTE", ROOT / ".venv/bin/mirante"))
VERCEL = Path(__file__).parent / "vercel"
PROGRAMS = {
    "official": "official",
    "openinference": "openinference",
    "openllmetry": "openllmetry",
    "langfuse": "langfuse_sdk",
    "litellm": "litellm_sdk",
    "pydantic-ai": "pydantic_ai_sdk",
}
"""Client -> module in `tests.otel.programs`."""
CLIENTS = (*PROGRAMS, "vercel")
DOCS = (ROOT / "docs/connect/opentelemetry.md").read_text("utf-8")
[PAGE] = re.findall(r"<!-- test: page -->\n    ```python\n(.*?)    ```", DOCS, re.DOTALL)
"""The program of the documentation's page, which runs beside those of the clients as `page`."""
WAITING = ('kind="spans_waiting"', 'kind="open_requests"', 'kind="waiting_responses"')
FEATURE, BUDGET = "litellm-proxy", "0.01"
"""Of the LiteLLM proxy's calls, and what each of its users may spend of it on a day, in USD."""
SETTINGS = f"""
[otlp]
settle = 4

[[budgets]]
name = "{FEATURE}"
scope = {{ feature = "{FEATURE}" }}
by = "user"
limit = {BUDGET}
window = "day"

[[switches]]
on = "BudgetExhausted"
match = {{ budget = "{FEATURE}" }}
action = "kill"
scope = "user:{{user}}"
expires = "resolved"
"""
WITHIN = 90.0
"""Seconds until all that was exported must be in ClickHouse."""


class Mirante:
    """`mirante up` with a data directory of its own."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "mirante.log"
        self.data = folder / "data"
        self._endpoints = self.data / "endpoints.json"
        (folder / "mirante.toml").write_text(SETTINGS)
        environment = {**os.environ, "MIRANTE_CONFIG": str(folder / "mirante.toml")}
        command = [MIRANTE, "up", "--traffic", "none", "--data", self.data]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not self._endpoints.exists():
            assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)
        self._at: dict[str, Any] = json.loads(self._endpoints.read_text())
        self.ingest: str = self._at["ingest"]

    def query(self, sql: str) -> list[dict[str, Any]]:
        server = self._at["clickhouse"].rpartition("@")[2]
        address = f"http://{server}/?{urllib.parse.urlencode({'query': sql})}"
        asked = urllib.request.Request(address, headers={"X-ClickHouse-Key": self._at["clickhouse_token"]})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return [json.loads(line) for line in answer]

    def until(self, sql: str, least: int) -> None:
        """Until a query's `n` is at least so much."""
        deadline = time.monotonic() + WITHIN
        while (found := int(self.query(f"{sql} FORMAT JSONEachRow")[0]["n"])) < least:
            assert time.monotonic() < deadline, f"{found} of {least} after {WITHIN:g} s: {sql}"
            time.sleep(0.2)

    def until_at_rest(self, calls: int) -> None:
        """Until so many calls have arrived, and no span waits that could be one too."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            [found] = self.query("SELECT count() AS n FROM mirante.interactions FORMAT JSONEachRow")
            counted = self._said('mirante_otlp_spans_total{what="call"')
            has_all = int(found["n"]) >= max(calls, counted)
            waiting = {name: self._said(name) for name in WAITING}
            if has_all and not sum(waiting.values()):
                return
            time.sleep(0.2)
        raise AssertionError(f"{found['n']} of {calls} calls after {WITHIN:g} s ({counted:g} counted, {waiting})")

    def _said(self, metric: str) -> float:
        """The sum of what the workers measure under names in which this occurs."""
        lines: list[str] = []
        for url in self._at["metrics"]:
            with urllib.request.urlopen(url, timeout=30) as answer:
                lines += answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if metric in line)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)


class Run(NamedTuple):
    """All clients have made their calls."""

    mirante: Mirante
    provider: ServingProvider
    failures: dict[str, str]
    """Client -> what it wrote, if its program failed."""


@pytest.fixture(scope="session")
def provider() -> Iterator[ServingProvider]:
    provider = ServingProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def mirante(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirante]:
    mirante = Mirante(tmp_path_factory.mktemp("mirante"))
    yield mirante
    mirante.stop()


@pytest.fixture(scope="session")
def run(mirante: Mirante, provider: ServingProvider) -> Run:
    with ThreadPoolExecutor(2) as several:
        every = (*CLIENTS, "page")
        written = several.map(lambda client: make_calls(client, mirante, provider), every)
    failures = {client: text for client, text in zip(every, written, strict=True) if text}
    mirante.until_at_rest(sum(map(len, provider.served.values())))
    return Run(mirante, provider, failures)


def make_calls(client: str, mirante: Mirante, provider: ServingProvider) -> str:
    """Runs the program of a client; what it wrote, if it failed."""
    if client == "vercel":
        if missing_node():
            return ""
        command = ["node", "main.mjs"]
    elif client == "page":
        command = [sys.executable, "-c", textwrap.dedent(PAGE)]
    else:
        command = [sys.executable, "-m", f"tests.otel.programs.{PROGRAMS[client]}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SESSION": f"session-of-{client}",
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": f"{provider.url}/{client}/v1",
        "OPENAI_API_BASE": f"{provider.url}/{client}/v1",
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": f"{provider.url}/{client}",
        "ANTHROPIC_API_BASE": f"{provider.url}/{client}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_SERVICE_NAME": client,
        "OTEL_EXPORTER_OTLP_ENDPOINT": mirante.ingest,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    }
    folder = VERCEL if client == "vercel" else ROOT
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,  # LiteLLM imports its proxy where that is installed
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def missing_node() -> str:
    """What the Vercel AI SDK lacks here; "" if nothing."""
    if shutil.which("node") is None:
        return "Node.js is not installed (20 or later)"
    if not (VERCEL / "node_modules/ai").is_dir():
        return "the Vercel AI SDK is not installed (make otel-test does it, with npm)"
    return ""
