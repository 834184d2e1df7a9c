"""A running stack with half an hour of demo traffic that ends in an outage, and a browser to look at it.

Needs the extra ``browser`` and Debian's Chromium; skipped, and said so, where they are not.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.stack import Stack, StackOptions
from deploy.traffic.demo import demo
from deploy.traffic.publisher import publish
from deploy.traffic.record import TimedRecord
from streams.clickhouse import connect
from streams.kafka import client_options
from tests.chromium import ARGUMENTS, PROGRAM, missing

playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[browser]'")

MINUTES, RATE = 30, 8.0
OUTAGE = 300.0
"""Seconds before the end from which a model gives nothing but errors."""

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202etxt.exe"
SHOWN = "<script>alert(1)</script><img src=x onerror=alert(2)>[U+202E]txt.exe"
"""How a page shows it."""
MEGABYTE = 900_000
"""Characters of the longest text: what Kafka takes at most by default is 1 MiB."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, with everything published in ClickHouse."""
    budgets = [{"name": "day", "limit": "0.5", "window": "day"}, {"name": "month", "limit": "500", "window": "month"}]
    settings = {
        "labels": {"enabled": True, "gap": 20.0}, "behaviour": {"enabled": True}, "topics": {"enabled": True}, "budgets": budgets,
    }  # fmt: skip
    options = StackOptions(tmp_path_factory.mktemp("stack"), dashboard=True, settings=settings)
    stack = Stack(options, say=lambda text: None)
    asyncio.run(stack.__aenter__())
    try:
        asyncio.run(publish(_with_incident(), speed=float("inf"), **client_options(stack.settings)))
        _wait_until_stored(stack)
        yield stack
    finally:
        asyncio.run(stack.__aexit__(None, None, None))


def _with_incident() -> Iterator[TimedRecord]:
    now = datetime.now(UTC)
    start = now - timedelta(minutes=MINUTES)
    outage = now.timestamp() - OUTAGE
    yield from _hostile(now)
    for record in demo(start=start, rate=RATE):
        if record.time > now.timestamp():
            return
        event = json.loads(record.value)
        if record.topic == "responses" and record.time > outage and "gpt-4.1" in (event.get("model") or ""):
            failed = {"status": "error", "output": None, "usage": None, "error": {"type": "overloaded", "code": 503}}
            record = record._replace(value=json.dumps({**event, **failed}).encode())
        yield record
        if record.topic == "requests" and event["event_id"].endswith("7"):
            yield record._replace(value=b'{"event_id": "broken", "time": ')


def _hostile(now: datetime) -> Iterator[TimedRecord]:
    """Calls of which every text is hostile, one of one with a question of a megabyte."""
    begun = now - timedelta(minutes=MINUTES) + timedelta(seconds=30)
    for number in range(5):
        at = (begun + timedelta(seconds=number)).isoformat()
        request = f"{HOSTILE}-{number}"
        common = {"time": at, "request_id": request, "session_id": HOSTILE, "model": HOSTILE}
        question = HOSTILE * (MEGABYTE // len(HOSTILE)) if number == 0 else f"I am eve{number}@example.com. {HOSTILE}"
        asked = {
            **common, "event_id": f"q-{request}", "provider": HOSTILE, "tenant": HOSTILE, "feature": HOSTILE, "user_id": HOSTILE,
            "environment": HOSTILE, "trace_id": HOSTILE, "prompt": {"name": HOSTILE, "sha": HOSTILE, "variables": {HOSTILE: HOSTILE}},
            "messages": [{"role": HOSTILE, "content": question}], "params": {HOSTILE: HOSTILE},
            "documents": [{"id": HOSTILE, "text": HOSTILE}], HOSTILE: HOSTILE,
        }  # fmt: skip
        said = {
            **common, "event_id": f"a-{request}", "response_id": f"resp-{request}", "status": "ok", "finish_reason": HOSTILE,
            "usage": {"input_tokens": 9, "output_tokens": 9}, "output": HOSTILE,
        }  # fmt: skip
        thumb = {"time": at, "event_id": f"f-{request}", "response_id": f"resp-{request}", "session_id": HOSTILE, "kind": "thumbs_down",
                 "comment": HOSTILE}  # fmt: skip
        for topic, event in (("requests", asked), ("responses", said), ("feedback", thumb)):
            # As it is and not escaped: three bytes each, so that the longest fits into a record
            value = json.dumps(event, ensure_ascii=False).encode()
            yield TimedRecord(begun.timestamp() + number, topic, HOSTILE.encode(), value)


def _wait_until_stored(stack: Stack) -> None:
    """Until the newest rows are minutes old at most, and an alert and a label are there: what pages need."""
    deadline = time.monotonic() + 180
    client = connect(stack.settings.clickhouse_url)
    sql = (
        "SELECT (SELECT max(time) FROM mirante.interactions) > now() - 120"
        " AND (SELECT count() FROM mirante.alerts) > 3 AND (SELECT count() FROM mirante.labels) > 100"
    )
    while not int(str(client.command(sql))):
        assert time.monotonic() < deadline, "the traffic was not stored in time"
        time.sleep(1)
    client.close()


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Any]:
    """Debian's Chromium, without a network beyond loopback. After the stack: Playwright has the event loop from then on."""
    if missing():
        pytest.skip(missing())
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=PROGRAM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where to put pictures of the pages (MIRANTE_SCREENSHOTS); None: nowhere."""
    folder = os.environ.get("MIRANTE_SCREENSHOTS")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)
