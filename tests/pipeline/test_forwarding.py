"""``mirante forward`` between a broker and stand-ins of the receivers on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

import deploy.forward.forwarder as forwarder
from deploy.embedded.broker_api import Broker
from deploy.forward.receivers import read_receivers
from schemas.outputs import Alert
from streams.kafka import ensure_topics
from streams.settings import Settings
from streams.topics import Topic, Topics
from tests.unit.test_forward import FORMATS, POSTABLE_ALERTS, alert, resolved

PARTITIONS = 2


class StandIn:
    """Alertmanager, PagerDuty, Slack and webhooks in one server. ``answers``: path -> answers to give before 200, or a pause."""

    def __init__(self) -> None:
        self.posts: defaultdict[str, list[Any]] = defaultdict(list)
        self.invalid: list[str] = []
        self.answers: defaultdict[str, list[web.Response]] = defaultdict(list)
        self.stuck = asyncio.Event()

    async def alertmanager(self, request: web.Request) -> web.Response:
        """Validates as the published definition says: 400 with a JSON string, else 200."""
        try:
            body = await request.json()
            jsonschema.validate(body, POSTABLE_ALERTS, format_checker=FORMATS)
        except (ValueError, jsonschema.ValidationError) as error:
            self.invalid.append(str(error))
            return web.json_response(str(error), status=400)
        return self._answer(request.path, body)

    async def other(self, request: web.Request) -> web.Response:
        if request.path == "/stuck":
            await self.stuck.wait()
        return self._answer(request.path, await request.json())

    def _answer(self, path: str, body: Any) -> web.Response:
        if self.answers[path]:
            return self.answers[path].pop(0)
        self.posts[path].append(body)
        return web.Response(status=202 if path == "/pagerduty" else 200)


@pytest_asyncio.fixture
async def stand_in() -> AsyncIterator[tuple[StandIn, str]]:
    server = StandIn()
    app = web.Application()
    app.router.add_post("/am/api/v2/alerts", server.alertmanager)
    app.router.add_post("/{any}", server.other)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address: Any = runner.addresses[0]
    yield server, f"http://127.0.0.1:{address[1]}"
    server.stuck.set()
    await runner.cleanup()


@pytest_asyncio.fixture
async def settings(broker: Broker, topic_prefix: str) -> Settings:
    found = Settings(kafka_bootstrap=broker.bootstrap, topic_prefix=topic_prefix, group=topic_prefix, partitions=PARTITIONS)
    await ensure_topics(found, [Topic(Topics.of(found).alerts, PARTITIONS)])
    return found


async def publish(settings: Settings, *alerts: Alert | bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all") as producer:
        for one in alerts:
            value, key = (one, b"f1") if isinstance(one, bytes) else (msgspec.json.encode(one), one.fingerprint.encode())
            await producer.send_and_wait(Topics.of(settings).alerts, value, key=key)


@asynccontextmanager
async def forwarding(settings: Settings, *rows: dict[str, Any]) -> AsyncIterator[None]:
    running = asyncio.create_task(forwarder.forward_alerts(settings, read_receivers(list(rows), {})))
    try:
        yield
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def committed(settings: Settings, *names: str) -> None:
    """Until these receivers have stored that they have read everything: one that stops between a post and that is told again."""
    topic = Topics.of(settings).alerts
    tps = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    for name in names:
        group = f"{settings.group}.forward.{name}"
        async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, group_id=group, enable_auto_commit=False) as consumer:
            consumer.assign(tps)
            async with asyncio.timeout(40):
                ends = await consumer.end_offsets(tps)
                while any([end > (await consumer.committed(tp) or 0) for tp, end in ends.items()]):  # noqa: ASYNC110 - in the broker
                    await asyncio.sleep(0.05)


async def eventually(true: Callable[[], bool], what: Callable[[], object]) -> None:
    try:
        async with asyncio.timeout(40):
            while not true():  # noqa: ASYNC110 - what is waited for is in another process, too
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within 40 s: {what()!r}")


async def test_given_an_alert_that_fires_and_resolves_then_every_receiver_is_told_in_its_form(
    settings: Settings, stand_in: tuple[StandIn, str]
) -> None:
    server, url = stand_in
    rows = [
        {"type": "alertmanager", "url": f"{url}/am"},
        {"type": "pagerduty", "routing_key": "k", "url": f"{url}/pagerduty"},
        {"type": "slack", "url": f"{url}/slack"},
        {"type": "webhook", "url": f"{url}/hook", "secret": "s"},
        {"type": "slack", "name": "budgets", "url": f"{url}/budgets", "alerts": ["Budget*"]},
    ]
    now = datetime.now(UTC)
    async with forwarding(settings, *rows):
        await publish(settings, alert(), alert("quiet", fingerprint="f2", annotations={"silenced_by": "s1"}))
        await eventually(
            lambda: all(server.posts[path] for path in ("/am/api/v2/alerts", "/pagerduty", "/slack", "/hook")), lambda: server.posts
        )
        await publish(settings, resolved(ends_at=now, updated_at=now))
        await eventually(
            lambda: all(len(server.posts[path]) == 2 for path in ("/am/api/v2/alerts", "/pagerduty", "/slack", "/hook")),
            lambda: server.posts,
        )
        await committed(settings, "pagerduty", "slack", "webhook", "budgets")
    assert not server.invalid
    fired, over = server.posts["/am/api/v2/alerts"]
    assert [a["labels"]["alertname"] for a in fired] == ["CostAnomaly"] and fired[0]["endsAt"] > now.isoformat()
    assert [a["labels"] for a in over] == [a["labels"] for a in fired] and over[0]["endsAt"][:19] == now.isoformat()[:19]
    assert [event["event_action"] for event in server.posts["/pagerduty"]] == ["trigger", "resolve"]
    assert [event["type"] for event in server.posts["/hook"]] == ["alert.firing", "alert.resolved"]
    assert "/budgets" not in {path for path, posts in server.posts.items() if posts}

    async with forwarding(settings, *rows):  # started again: events are not repeated, the state is
        await publish(settings, alert("a2", name="BudgetBurn", fingerprint="f3"))
        await eventually(lambda: len(server.posts["/budgets"]) == 1 and len(server.posts["/hook"]) == 3, lambda: server.posts)
        await eventually(lambda: {a["labels"]["alertname"] for a in server.posts["/am/api/v2/alerts"][-1]} == {"CostAnomaly", "BudgetBurn"},
                         lambda: server.posts["/am/api/v2/alerts"])  # fmt: skip
    assert [event["data"]["alert_id"] for event in server.posts["/hook"]] == ["a1", "a1", "a2"]


async def test_given_receivers_that_fail_refuse_or_hang_then_the_others_are_told_at_once_and_they_in_their_time(
    settings: Settings, stand_in: tuple[StandIn, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = stand_in
    server.answers["/failing"] = [web.Response(status=429, headers={"Retry-After": "1"}), web.Response(status=503)]
    server.answers["/refusing"] = [web.Response(status=400, text="no such channel")]
    rows = [{"type": "webhook", "name": name, "url": f"{url}/{name}"} for name in ("stuck", "failing", "refusing", "well")]
    rows.append({"type": "webhook", "name": "nobody", "url": "http://127.0.0.1:9/"})
    await publish(settings, alert(), b"{no alert", alert("a2", updated_at=datetime(2026, 3, 1, 13, tzinfo=UTC)))
    async with forwarding(settings, *rows):
        told = {
            name: lambda name=name: [e["data"]["alert_id"] for e in server.posts[f"/{name}"]]
            for name in ("stuck", "failing", "refusing", "well")
        }
        await eventually(lambda: told["well"]() == ["a1", "a2"], lambda: server.posts)
        assert told["stuck"]() == []
        await eventually(lambda: told["failing"]() == ["a1", "a2"] and told["refusing"]() == ["a2"], lambda: server.posts)
        server.stuck.set()
        await eventually(lambda: told["stuck"]()[-1:] == ["a2"], lambda: server.posts)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("refusing: refused a1 HTTP 400 no such channel" in text for text in warnings)
    assert any("well:" in text and "is no alert" in text for text in warnings)


async def test_given_alertmanager_was_away_then_it_learns_what_fires_and_is_reminded(
    settings: Settings, stand_in: tuple[StandIn, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = stand_in
    monkeypatch.setattr(forwarder, "RESEND_SECONDS", 0.5)
    path = "/am/api/v2/alerts"
    server.answers[path] = [web.Response(status=503), web.Response(status=500)]
    await publish(settings, alert(), resolved(fingerprint="f2"), alert("a3", fingerprint="f3"))
    async with forwarding(settings, {"type": "alertmanager", "url": f"{url}/am"}):
        await eventually(lambda: len(server.posts[path]) >= 3, lambda: server.posts)
    firing = [{a["annotations"]["mirante_alert_id"] for a in post} for post in server.posts[path][:3]]
    assert all({"a1", "a3"} <= ids for ids in firing)
    assert not server.invalid


async def test_the_program_ends_in_order_when_told_to(settings: Settings, stand_in: tuple[StandIn, str], tmp_path: Path) -> None:
    server, url = stand_in
    config = tmp_path / "mirante.toml"
    config.write_text(f'[[receivers]]\ntype = "webhook"\nurl = "{url}/hook"\n')
    environment = {
        **os.environ, "MIRANTE_CONFIG": str(config), "MIRANTE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "MIRANTE_TOPIC_PREFIX": settings.topic_prefix, "MIRANTE_PARTITIONS": str(PARTITIONS), "MIRANTE_GROUP": settings.group,
    }  # fmt: skip
    await publish(settings, alert())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", "forward", "--data", str(tmp_path), env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        await eventually(lambda: len(server.posts["/hook"]) == 1, lambda: server.posts)
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    assert "webhook: 1 delivered" in said.decode()
    assert json.dumps(server.posts["/hook"][0]["data"]["alert_id"]) == '"a1"'
